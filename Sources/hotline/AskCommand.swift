import ArgumentParser
import Glibc

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
  @Option(help: ArgumentHelp("Which of the daemon's upstreams.", valueName: "name"))
  var upstream: String?
  @Option(
    help: ArgumentHelp(
      "Longest time for the whole request; default: the daemon's.",
      valueName: "seconds"))
  var timeout: Double?
  @Flag(help: "Print no text but the final response object, as one line.") var json = false
  @Flag(help: "Keep control characters on a terminal.") var raw = false
  @Flag(name: .shortAndLong, help: "Say at the end how long it took and how many tokens.")
  var verbose = false

  /// A week; what the daemon allows may be less.
  private static let timeoutSeconds = 0.001...604_800

  func validate() throws {
    guard let timeout, !Self.timeoutSeconds.contains(timeout) else { return }
    throw ValidationError(
      "The value \(timeout) is invalid for '--timeout <seconds>': it must be a number of seconds "
        + "from 0.001 to 604800.")
  }

  func run() throws {
    let readsInput = isatty(STDIN_FILENO) == 0 || text == ["-"]
    let material = readsInput ? try InputText.readMaterial() : nil
    let words = text == ["-"] ? [] : text
    guard let question = InputText.joined(arguments: words, material: material) else {
      throw CommandFailure(
        .usage, "there is no text; give it as arguments (hotline ask TEXT) or on standard input")
    }
    let milliseconds = timeout.map { max(1, Int(($0 * 1000).rounded())) }
    let request = AskRequest(
      text: question, model: model, instructions: system, upstream: upstream,
      timeoutMilliseconds: milliseconds)
    let isTerminal = isatty(STDOUT_FILENO) == 1
    let socket = try DaemonSocket(connectingTo: socketOptions.path())
    var exchange = AskExchange(
      request: request, socket: socket,
      answer: Answer(keepsResponse: json, dropsControls: isTerminal && !raw),
      isTerminal: isTerminal, timeout: milliseconds.map { .milliseconds($0) })
    let answer = try exchange.run()
    if verbose, let summary = answer.summary {
      StandardDescriptors.writeError("hotline: \(PrintableText.line(summary.sentence))\n")
    }
    if let ending = answer.ending { throw ending }
  }
}
