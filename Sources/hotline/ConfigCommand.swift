import ArgumentParser
import Glibc

struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "Show the configuration in force, and where each value came from.",
    discussion: ExitStatus.table)

  @OptionGroup var options: QuestionOptions

  func run() throws {
    try options.ask("hotline.config", answer: "hotline.config") { config, _ in
      Self.page(config, TextStyle(for: STDOUT_FILENO))
    }
  }

  /// Not cut to a width: what is last in a row may be all that somebody is after.
  static func page(_ config: JSONView, _ style: TextStyle) -> String {
    var table = TextTable(header: ["KEY", "ORIGIN", "VALUE"])
    for setting in config["settings"]?.elements ?? [] {
      table.append([words(setting["key"]), words(setting["origin"]), value(setting["value"])])
    }
    return "file: \(words(config["file"]))\n\n" + table.text(columns: .max, style)
  }

  private static func value(_ view: JSONView?) -> String {
    guard let view else { return "-" }
    return view.string ?? String(decoding: view.bytes, as: UTF8.self)
  }
}
