import ArgumentParser

struct CompletionsCommand: ParsableCommand {
  enum Shell: String, CaseIterable, ExpressibleByArgument {
    case bash, zsh, fish

    fileprivate var own: CompletionShell {
      switch self {
      case .bash: .bash
      case .zsh: .zsh
      case .fish: .fish
      }
    }
  }

  static let configuration = CommandConfiguration(
    commandName: "completions",
    abstract: "Print what has a shell complete the arguments of this program.")

  @Argument(help: "bash, zsh or fish.") var shell: Shell

  func run() throws {
    var output = OutputWriter()
    output.append(HotlineCommand.completionScript(for: shell.own) + "\n")
    try output.writeAll()
  }
}
