# Completes hotlined(8) in fish.

complete -c hotlined -f
complete -c hotlined -s h -l help -d "Show help"
complete -c hotlined -l version -d "Show the version"
complete -c hotlined -l config -rF -d "Configuration file"
complete -c hotlined -l socket -rF -d "Path of the Unix socket"
complete -c hotlined -l url -xa "wss://" -d "URL of the default upstream"
complete -c hotlined -l api-key-file -rF -d "File that holds the default upstream's key"
complete -c hotlined -l ca-file -rF -d "PEM file of the authorities to trust"
complete -c hotlined -l check-config -d "Check the configuration and exit"
complete -c hotlined -l doctor -d "Try each step to the server, and say what is wrong"
complete -c hotlined -l upstreams -d "List the upstreams and the presets"
complete -c hotlined -l json -d "With --doctor or --upstreams: report as JSON"
complete -c hotlined -l store-key -d "Read an API key, store it and exit"
complete -c hotlined -l upstream -x -d "With --store-key: whose key it is"
complete -c hotlined -l log-format -xa "auto text json" -d "How the log looks"
complete -c hotlined -l log-level -xa "trace debug info notice warning error critical" \
    -d "How much is logged"
