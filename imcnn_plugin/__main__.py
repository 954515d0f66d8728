from imcnn_cli import main

main()
