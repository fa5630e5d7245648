import ArgumentParser

struct AskCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ask",
    abstract: "Ask, and print the answer as it comes.",
    discussion: """
      The text is taken from the arguments and, unless it is a terminal, from standard input: the \
      instruction and the material for it, joined by a blank line. A lone "-" reads standard \
      input even from a terminal. A text that begins with a dash goes after "--".

      On a terminal, control characters but line feed and tab are left out of the answer. Ctrl-C \
      cancels the request, a second one ends at once.

      \(ExitStatus.table)
      """)

  @OptionGroup var socketOptions: SocketOptions
  @Argument(help: "What to ask; several words are joined by spaces.") var text: [String] = []
  @Option(help: ArgumentHelp("The model; default: the daemon's.", valueName: "name"))
  var model: String?
  @Option(help: ArgumentHelp("Instructions for the model.", valueName: "text"))
  var system: String?
  @Option(
    help: ArgumentHelp("A file to ask about; may be given again.", valueName: "path"),
    completion: .file())
  var file: [String] = []
  @Option(
    help: ArgumentHelp(
      "A picture to ask about, or its address; may be given again.", valueName: "path"),
    completion: .file())
  var image: [String] = []
  @Option(
    help: ArgumentHelp(
      "A file with the JSON Schema of the answer, which then is JSON.", valueName: "path"),
    completion: .file())
  var schema: String?
  @Option(
    help: ArgumentHelp("Go on with the conversation of that name, or begin it.", valueName: "name"))
  var conversation: String?
  @Option(help: ArgumentHelp("Which of the daemon's upstreams.", valueName: "name"))
  var upstream: String?
  @Option(help: ArgumentHelp("Count it under this label.", valueName: "label"))
  var tag: String?
  @Flag(help: "Let others go first: nobody waits for the answer.") var batch = false
  @Option(
    help: ArgumentHelp(
      "Longest time for the whole request; default: the daemon's.", valueName: "seconds"))
  var timeout: Double?
  @Flag(help: "Print no text but the final response object, as one line.") var json = false
  @Flag(help: "Print no text but every line of the daemon as it comes.") var events = false
  @Flag(help: "Keep control characters on a terminal.") var raw = false
  @Flag(name: .shortAndLong, help: "Say at the end how long it took and how many tokens.")
  var verbose = false

  func validate() throws {
    if let timeout, !Ask.timeoutSeconds.contains(timeout) {
      throw ValidationError(
        "The value \(timeout) is invalid for '--timeout <seconds>': it must be a number of "
          + "seconds from 0.001 to 604800.")
    }
    if let conversation, !Ask.nameLengths.contains(conversation.unicodeScalars.count) {
      throw ValidationError(
        "The value is invalid for '--conversation <name>': it must have 1 to 128 characters.")
    }
    if json, events {
      throw ValidationError("--json and --events exclude each other: give one of them.")
    }
  }

  var ask: Ask {
    Ask(
      socket: socketOptions.socket, words: text, model: model, system: system, files: file,
      images: image, schema: schema, conversation: conversation, upstream: upstream, tag: tag,
      isBatch: batch, timeout: timeout, form: events ? .lines : json ? .response : .text,
      keepsControls: raw, isVerbose: verbose)
  }

  func run() throws { try ask.run() }
}
