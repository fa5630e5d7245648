import ArgumentParser

struct UpstreamsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "upstreams",
    abstract: "List the servers that requests may go to, and the presets.",
    discussion: "Runs hotlined --upstreams with the same arguments, see hotlined(8).")

  @Argument(parsing: .captureForPassthrough, help: "Options of hotlined.")
  var arguments: [String] = []

  func run() throws {
    throw DaemonProgram.missing(DaemonProgram.become(["--upstreams"] + arguments))
  }
}
