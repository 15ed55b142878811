module gitlab.com/selfcontained/shop/acceptance

go 1.26.0
