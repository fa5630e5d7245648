import ArgumentParser

struct SendCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "send",
    abstract: "Pass JSON lines to the daemon and print its lines.",
    discussion: """
      Reads lines to the end of the file, then waits until every request has had its last line.

      With --jobs, every line is a request, so many of them run at once, and one line of results \
      is printed for each. Ctrl-C sends no more and waits for those that run, a second one \
      cancels them.

      The exit status is 0 if every request completed, else the first of \
      \(ExitStatus.worstFirst.map { String($0.rawValue) }.joined(separator: ", ")) that occurred; \
      a line that was refused counts.

      \(ExitStatus.table)
      """)

  @OptionGroup var socketOptions: SocketOptions
  @Argument(
    help: "Where the lines are; \"-\" or nothing: standard input.", completion: .file())
  var file: String?
  @Option(help: ArgumentHelp("Keep so many requests running.", valueName: "count"))
  var jobs: Int?
  @Flag(help: "With --jobs: print the results in the order of the requests.") var inOrder = false
  @Option(
    help: ArgumentHelp(
      "With --jobs: leave out what completed in this file of results.", valueName: "path"),
    completion: .file())
  var resume: String?

  private static let jobsRange = 1...1000

  func validate() throws {
    if let jobs, !Self.jobsRange.contains(jobs) {
      throw ValidationError(
        "The value \(jobs) is invalid for '--jobs <count>': it must be from 1 to 1000.")
    }
    guard jobs == nil, inOrder || resume != nil else { return }
    throw ValidationError("--in-order and --resume need --jobs: give it a number of requests.")
  }

  var send: Send {
    Send(
      socket: socketOptions.socket, file: file, jobs: jobs, isInOrder: inOrder, resume: resume)
  }

  func run() throws { try send.run() }
}
