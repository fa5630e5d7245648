import ArgumentParser
import HotlineWire

struct GetSocknameCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get-sockname",
    abstract: "Print the path of the daemon's socket; nothing need be there.",
    discussion: ExitStatus.table)

  @OptionGroup var socketOptions: SocketOptions
  @Flag(help: "Print an object of JSON.") var json = false

  func run() throws { try Self.printPath(given: socketOptions.socket, asJSON: json) }

  static func printPath(given option: String?, asJSON: Bool) throws(CommandFailure) {
    var output = OutputWriter()
    let path = try SocketOptions.path(given: option)
    if asJSON {
      output.append(LocalLine.line { $0.member("socket", path) })
    } else {
      output.append(path + "\n")
    }
    try output.writeAll()
  }
}
