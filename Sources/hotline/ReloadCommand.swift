import ArgumentParser

struct ReloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract: "Have the daemon read its configuration again.",
    discussion: """
      A configuration with errors changes nothing. A reload also ends a drain.

      \(ExitStatus.table)
      """)

  @OptionGroup var options: QuestionOptions

  func run() throws {
    try options.ask("hotline.reload", answer: "hotline.ok") { answer, _ in
      for warning in answer["warnings"]?.elements ?? [] {
        let text = PrintableText.line(warning.string ?? "")
        StandardDescriptors.writeError("hotline: warning: \(text)\n")
      }
      return ""
    }
  }
}
