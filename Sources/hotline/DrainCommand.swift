import ArgumentParser

struct DrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain",
    abstract: "Have the daemon finish what it has accepted and take nothing new.",
    discussion: """
      Waits until every accepted request has had its last line. The daemon takes new requests \
      again after a reload, which ends the drain: this command then fails if it still waits.

      \(ExitStatus.table)
      """)

  @OptionGroup var socketOptions: SocketOptions
  @Option(
    help: ArgumentHelp(
      "Longest wait for the end; default: as long as it takes. The drain goes on after it.",
      valueName: "seconds"))
  var timeout: Double?
  @Flag(help: "Print the daemon's line as it is.") var json = false

  func validate() throws {
    if let timeout { try QuestionOptions.check(timeout: timeout) }
  }

  func run() throws {
    let socket = try DaemonSocket(connectingTo: socketOptions.path())
    let question = Question(
      type: "hotline.drain", answerType: "hotline.ok", timeout: timeout.map { .seconds($0) })
    let (line, _) = try question.ask(socket)
    guard json else { return }
    var output = OutputWriter()
    output.append(line)
    output.append("\n")
    try output.writeAll()
  }
}
