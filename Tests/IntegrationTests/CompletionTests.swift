import Foundation
import TestSupport
import Testing

/// What the shells propose, against what the programs take.
@Suite struct CompletionTests {
  private static let directory = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Packaging/completions").path

  @Test func bashProposesWhatIsThere() throws {
    try check { line in
      let words = line.split(separator: " ", omittingEmptySubsequences: false)
      return try run(
        "bash", ["--norc"],
        """
        source \(Self.directory)/bash/\(words[0])
        COMP_WORDS=(\(words.map { "'\($0)'" }.joined(separator: " ")))
        COMP_CWORD=\(words.count - 1)
        _\(words[0])
        printf '%s\\n' "${COMPREPLY[@]}"
        """)
    }
  }

  @Test(Requires.tools("fish"))
  func fishProposesWhatIsThere() throws {
    try check { line in
      let program = line.prefix { $0 != " " }
      return try run(
        "fish", ["--no-config"],
        "source \(Self.directory)/fish/\(program).fish; complete -C '\(line)'\n"
      ).compactMap { $0.split(separator: "\t").first.map(String.init) }
    }
  }

  /// Zsh completes only in its line editor, so it gets a terminal; what it lists is words, ` -- `
  /// and their description.
  @Test(Requires.tools("zsh"))
  func zshProposesWhatIsThere() throws {
    try check { line in
      try run("zsh", ["-f"], Self.zshTyping(line)).flatMap { text -> [String] in
        guard let end = text.firstRange(of: " -- ") else { return [] }
        return text[..<end.lowerBound].split(separator: " ").map(String.init)
      }
    }
  }

  private static func zshTyping(_ line: String) -> String {
    """
    setopt extendedglob
    zmodload zsh/zpty
    zpty shell zsh -f -i
    setup="PROMPT=; COLUMNS=200 LINES=200 LISTMAX=0; fpath=(\(directory)/zsh \\$fpath)"
    setup+="; autoload -Uz compinit; compinit -u -D; bindkey '^I' list-choices"
    setup+="; finish() { print -n FINI''SHED }; zle -N finish; bindkey '^X' finish"
    setup+="; zle-line-init() { print -n REA''DY }; zle -N zle-line-init"
    zpty -w shell $setup
    zpty -r shell output '*READY*'
    zpty -w -n shell '\(line)'$'\\t\\x18'
    zpty -r shell output '*FINISHED*'
    print -r -- ${${output//$'\\e['[0-9;?]#[A-Za-z]/}//$'\\r'/}

    """
  }

  @Test func theProgramPrintsWhatBashCanUse() throws {
    let program = try Requires.program("hotline")
    let script = try ChildProcess.run(program, ["completions", "bash"])
    #expect(script.end == .exited(0))
    let proposed = try run(
      "bash", ["--norc"],
      script.output + """
        COMP_WORDS=(hotline get-) COMP_CWORD=1
        _hotline hotline get- hotline
        printf '%s\\n' "${COMPREPLY[@]}"
        """)
    #expect(proposed == ["get-sockname"])
    for (shell, words) in [("zsh", "#compdef hotline"), ("fish", "complete -c 'hotline'")] {
      let script = try ChildProcess.run(program, ["completions", shell])
      #expect(script.output.contains(words), "\(shell)")
    }
  }

  // MARK: What the programs take

  /// What one command takes, by `--experimental-dump-help` of the argument parser.
  private struct Command {
    /// `hotline ask`
    var words: String
    var options: Set<String>
    var subcommands: Set<String>

    static func all(of program: String) throws -> [Command] {
      let help = try ChildProcess.run(
        Requires.program(program), ["--experimental-dump-help"], environment: [:])
      return all(in: try JSON(parsing: help.output).command, after: "")
    }

    private static func all(in json: JSON, after words: String) -> [Command] {
      // The parser lists a command "help" for programs without commands too.
      let listed = json.subcommands.array
      let subcommands = listed.count > 1 ? listed : []
      let command = Command(
        words: words + (json.commandName.string ?? "?"),
        options: Set(
          json.arguments.array.flatMap { $0["names"].array }.map { name in
            (name.kind.string == "short" ? "-" : "--") + (name.name.string ?? "?")
          }),
        subcommands: Set(subcommands.compactMap(\.commandName.string)))
      return [command] + subcommands.flatMap { all(in: $0, after: command.words + " ") }
    }
  }

  /// - Parameter propose: the words for what was typed.
  private func check(_ propose: (String) throws -> [String]) throws {
    for program in ["hotline", "hotlined"] {
      let commands = try Command.all(of: program)
      #expect(commands.count == commands[0].subcommands.count + 1)
      for command in commands {
        let options = Set(try propose(command.words + " -").filter { $0.hasPrefix("-") })
        #expect(options == command.options, "of \(command.words)")
        guard !command.subcommands.isEmpty else { continue }
        let names = Set(try propose(command.words + " ").filter { !$0.hasPrefix("-") })
        #expect(names == command.subcommands, "of \(command.words)")
      }
    }
  }

  /// The lines that a shell prints, of which nothing else is expected.
  private func run(_ shell: String, _ arguments: [String], _ script: String) throws -> [String] {
    let home = try TemporaryDirectory()
    let script = try home.write("script", script + "\n")
    let result = try ChildProcess.run(
      Requires.tool(shell), arguments + [script],
      environment: ["HOME": home.path, "PATH": "/usr/bin:/bin", "TERM": "dumb"])
    #expect(result.end == .exited(0), "\(shell): \(result)")
    #expect(result.errors.isEmpty, "\(shell): \(result.errors)")
    return result.output.split(separator: "\n").map(String.init)
  }
}
