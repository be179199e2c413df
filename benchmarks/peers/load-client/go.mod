module load-client

go 1.26.0
