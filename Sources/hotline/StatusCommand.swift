import ArgumentParser
import Glibc

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show upstreams, connections, queue and clients.",
    discussion: ExitStatus.table)

  @OptionGroup var options: QuestionOptions

  func run() throws {
    try options.ask("hotline.status", answer: "hotline.status") { status, _ in
      StatusReport(status, TextStyle(for: STDOUT_FILENO)).text
    }
  }
}
