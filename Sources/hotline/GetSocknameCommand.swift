import ArgumentParser

struct GetSocknameCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get-sockname",
    abstract: "Print the path of the daemon's socket; nothing need be there.",
    discussion: ExitStatus.table)

  @OptionGroup var socketOptions: SocketOptions

  func run() throws { try Self.printPath(given: socketOptions.socket) }

  static func printPath(given option: String?) throws(CommandFailure) {
    var output = OutputWriter()
    output.append(try SocketOptions.path(given: option) + "\n")
    try output.writeAll()
  }
}
