# Does what serve.pl does, where there is no perl.
take_channel()
serve()
