import ArgumentParser
import Glibc

struct SendCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "send",
    abstract: "Pass JSON lines to the daemon and print its lines.",
    discussion: """
      Reads lines to the end of the file, then waits until every request has had its last line.

      The exit status is 0 if every request completed, else the first of \
      \(ExitStatus.worstFirst.map { String($0.rawValue) }.joined(separator: ", ")) that occurred; \
      a line that was refused counts.

      \(ExitStatus.table)
      """)

  @OptionGroup var socketOptions: SocketOptions
  @Argument(
    help: "Where the lines are; \"-\" or nothing: standard input.", completion: .file())
  var file: String?

  func run() throws {
    var input = STDIN_FILENO
    var name = "standard input"
    if let file, file != "-" {
      name = file
      input = open(file, O_RDONLY | O_CLOEXEC)
      guard input >= 0 else {
        throw CommandFailure(
          .usage, "cannot open \(name): \(systemMessage(errno)); name a file of JSON lines")
      }
    }
    let socket = try DaemonSocket(connectingTo: socketOptions.path())
    var relay = LineRelay(input: input, inputName: name, socket: socket)
    try relay.run()
  }
}
