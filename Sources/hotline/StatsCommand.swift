import ArgumentParser
import Glibc

struct StatsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Show what the daemon has done since its start: times, tokens, cost, counters.",
    discussion: ExitStatus.table)

  @OptionGroup var options: QuestionOptions

  func run() throws {
    try options.ask("hotline.stats", answer: "hotline.stats") { stats, _ in
      StatsReport(stats, TextStyle(for: STDOUT_FILENO)).text
    }
  }
}
