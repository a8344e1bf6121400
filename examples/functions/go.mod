module functionkey.dev/examples

go 1.26
