import ArgumentParser

struct GetSocknameCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get-sockname",
    abstract: "Print the path of the daemon's socket; nothing need be there.",
    discussion: ExitStatus.table)

  @OptionGroup var socketOptions: SocketOptions

  func run() throws {
    var output = OutputWriter()
    output.append(try socketOptions.path() + "\n")
    try output.writeAll()
  }
}
