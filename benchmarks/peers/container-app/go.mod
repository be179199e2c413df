module container-app

go 1.26.0
