# Completes hotline(1) in fish.

function __hotline_upstreams --description "The upstreams in this user's configuration"
    set -l directory "$HOME/.config"
    set -q XDG_CONFIG_HOME; and test -n "$XDG_CONFIG_HOME"; and set directory "$XDG_CONFIG_HOME"
    sed -nE 's/^ *\[ *upstream\. *"?([A-Za-z0-9_-]+)"? *\].*/\1/p' \
        "$directory/hotline/config.toml" 2>/dev/null
end

function __hotline_conversations --description "This user's conversations that are spelt as they are"
    set -l directory "$HOME/.local/state"
    set -q XDG_STATE_HOME; and test -n "$XDG_STATE_HOME"; and set directory "$XDG_STATE_HOME"
    for path in $directory/hotline/conversations/*
        string match -r '^[A-Za-z0-9_-]+$' (string replace -r '.*/' '' $path)
    end
end

# The command is always the first word.
function __hotline_command_is
    set -l words (commandline -opc)
    test (count $words) -ge 2; and contains -- $words[2] $argv
end

function __hotline_has_no_command
    test (count (commandline -opc)) -eq 1
end

complete -c hotline -f
complete -c hotline -s h -l help -d "Show help"
complete -c hotline -l version -d "Show the version"

complete -c hotline -n __hotline_has_no_command -a ask -d "Ask, and print the answer as it comes"
complete -c hotline -n __hotline_has_no_command -a send -d "Pass JSON lines to the daemon"
complete -c hotline -n __hotline_has_no_command -a ping -d "Ask the daemon for a sign of life"
complete -c hotline -n __hotline_has_no_command -a status -d "Show connections, queue and clients"
complete -c hotline -n __hotline_has_no_command -a stats -d "Show times, tokens, cost and counters"
complete -c hotline -n __hotline_has_no_command -a top -d "Show live what the daemon does"
complete -c hotline -n __hotline_has_no_command -a watch -d "Print the status again and again"
complete -c hotline -n __hotline_has_no_command -a tail -d "A line for each request as it ends"
complete -c hotline -n __hotline_has_no_command -a config -d "Show the configuration in force"
complete -c hotline -n __hotline_has_no_command -a cancel -d "Cancel a request, whoever made it"
complete -c hotline -n __hotline_has_no_command -a reload -d "Read the configuration again"
complete -c hotline -n __hotline_has_no_command -a drain -d "Finish what is accepted, take no more"
complete -c hotline -n __hotline_has_no_command -a key -d "Store the API key"
complete -c hotline -n __hotline_has_no_command -a doctor -d "Find out what is wrong on the way"
complete -c hotline -n __hotline_has_no_command -a upstreams -d "List the servers and the presets"
complete -c hotline -n __hotline_has_no_command -a get-sockname -d "Print the socket's path"
complete -c hotline -n __hotline_has_no_command -a completions -d "Print what this is for a shell"
complete -c hotline -n __hotline_has_no_command -a help -d "Show what a command takes"
complete -c hotline -n "__hotline_command_is help" -a "ask send ping status stats top watch tail config cancel reload drain key doctor upstreams get-sockname completions help"

complete -c hotline -n "__hotline_command_is ask send ping status stats top watch tail config cancel reload drain key get-sockname" -l socket -rF \
    -d "The daemon's socket"
complete -c hotline -n "__hotline_command_is ask ping status stats config cancel reload drain" -l timeout -x -d "Seconds"
complete -c hotline -n "__hotline_command_is ping status stats top config cancel watch tail reload drain get-sockname" -l json \
    -d "The daemon's line as it is"
complete -c hotline -n "__hotline_command_is top watch" -l every -x -d "Seconds between two lines"
complete -c hotline -n "__hotline_command_is watch" -l requests -d "A line for each request, too"
complete -c hotline -n "__hotline_command_is cancel" -l client -x -d "Whose it is"
complete -c hotline -n "__hotline_command_is send" -F
complete -c hotline -n "__hotline_command_is completions" -a "bash zsh fish"
complete -c hotline -n "__hotline_command_is key" -a set -d "Read a key and store it"
complete -c hotline -n "__hotline_command_is key" -l upstream -xa "(__hotline_upstreams)" \
    -d "Whose key it is"
complete -c hotline -n "__hotline_command_is send" -l jobs -x -d "Requests that run at once"
complete -c hotline -n "__hotline_command_is send" -l in-order -d "Results in the requests' order"
complete -c hotline -n "__hotline_command_is send" -l resume -rF -d "Leave out what completed there"

complete -c hotline -n "__hotline_command_is ask" -l json -d "The final response object"
complete -c hotline -n "__hotline_command_is ask" -l model -x -d "The model"
complete -c hotline -n "__hotline_command_is ask" -l system -x -d "Instructions for the model"
complete -c hotline -n "__hotline_command_is ask" -l upstream -xa "(__hotline_upstreams)" \
    -d "Which of the daemon's upstreams"
complete -c hotline -n "__hotline_command_is ask" -l file -rF -d "A file to ask about"
complete -c hotline -n "__hotline_command_is ask" -l image -rF -d "A picture to ask about"
complete -c hotline -n "__hotline_command_is ask" -l schema -rF -d "JSON Schema of the answer"
complete -c hotline -n "__hotline_command_is ask" -l conversation -xa "(__hotline_conversations)" \
    -d "Go on with that conversation"
complete -c hotline -n "__hotline_command_is ask" -l tag -x -d "Count it under this label"
complete -c hotline -n "__hotline_command_is ask" -l batch -d "Let others go first"
complete -c hotline -n "__hotline_command_is ask" -l events -d "Every line as it comes"
complete -c hotline -n "__hotline_command_is ask" -l raw -d "Keep control characters"
complete -c hotline -n "__hotline_command_is ask" -s v -l verbose -d "Say how long it took"
