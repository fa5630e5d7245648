import ArgumentParser
import HotlineWire

/// What all commands share that ask the daemon about itself.
struct QuestionOptions: ParsableArguments {
  @OptionGroup var socketOptions: SocketOptions
  @Option(help: ArgumentHelp("Longest wait for the answer.", valueName: "seconds"))
  var timeout = 5.0
  @Flag(help: "Print the daemon's line as it is.") var json = false

  private static let timeoutSeconds = 0.001...3600

  func validate() throws {
    try Self.check(timeout: timeout)
  }

  static func check(timeout: Double) throws {
    guard !timeoutSeconds.contains(timeout) else { return }
    throw ValidationError(
      "The value \(timeout) is invalid for '--timeout <seconds>': it must be a number of seconds "
        + "from 0.001 to 3600.")
  }

  /// Asks, and prints the line or what `text` makes of it.
  func ask(
    _ type: String, answer: String, text: (JSONView, Duration) -> String
  ) throws(CommandFailure) {
    let socket = try DaemonSocket(connectingTo: socketOptions.path())
    try ask(type, answer: answer, on: socket, text: text)
  }

  /// As the other, of a daemon that has been asked before.
  func ask(
    _ type: String, answer: String, on socket: DaemonSocket,
    members: @escaping (inout JSONWriter) -> Void = { _ in },
    text: (JSONView, Duration) -> String
  ) throws(CommandFailure) {
    let question = Question(
      type: type, answerType: answer, timeout: .seconds(timeout), members: members)
    let (line, time) = try question.ask(socket)
    var output = OutputWriter()
    if json {
      output.append(line)
      output.append("\n")
    } else {
      output.append(line.withUnsafeBytes { JSONView(line: $0).map { text($0, time) } ?? "" })
    }
    try output.writeAll()
  }
}
