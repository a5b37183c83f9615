from app.amda.sample.cli import main

main()
