# Python makes no such mounts: canShift says so.
def show_as_own(user, shifts):
    sys.exit("Showing files as a sandbox's own takes perl.")
