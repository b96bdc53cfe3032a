# Does what confine.pl does, where there is no perl.
own_keyring()
refuse_calls(arguments[0])
become(*arguments[1:])
