import ArgumentParser
import Glibc
import HotlineCore

/// The program: picks the command and turns whatever it throws into a message and a status.
@main
struct HotlineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hotline",
    abstract: "Talk to hotlined, which keeps warm connections to a language model's server.",
    usage: "hotline COMMAND [OPTION]… [ARGUMENT]…",
    discussion: """
      The daemon's socket is the one of --socket, else $HOTLINE_SOCKET, else \
      $XDG_RUNTIME_DIR/hotline.sock.

      \(ExitStatus.table)
      """,
    version: hotlineVersion,
    subcommands: [
      AskCommand.self, SendCommand.self, PingCommand.self, StatusCommand.self, StatsCommand.self,
      TopCommand.self, WatchCommand.self,
      TailCommand.self, ConfigCommand.self, CancelCommand.self,
      ReloadCommand.self, DrainCommand.self, KeyCommand.self, GetSocknameCommand.self,
      CompletionsCommand.self, DoctorCommand.self, UpstreamsCommand.self,
    ])

  static func main() {
    StandardDescriptors.prepare()
    Glibc.exit(status(of: Array(CommandLine.arguments.dropFirst())).rawValue)
  }

  private static func status(of arguments: [String]) -> ExitStatus {
    do {
      if let command = QuickCommand(arguments) {
        try command.run()
        return .completed
      }
      try checkCommandName(arguments.first)
      var command = try parseAsRoot(arguments)
      try command.run()
      return .completed
    } catch let failure as CommandFailure {
      failure.report()
      return failure.status
    } catch {
      return reportParsing(error)
    }
  }

  /// Refuses a word that is no command; the parser itself would repeat the word, and with the
  /// command forgotten it is a prompt.
  private static func checkCommandName(_ word: String?) throws(CommandFailure) {
    guard let word, !word.hasPrefix("-"), word != "help" else { return }
    let names = configuration.subcommands.compactMap { $0.configuration.commandName }
    guard !names.contains(word) else { return }
    throw CommandFailure(
      .usage,
      "the first argument is none of the commands \(names.joined(separator: ", ")); "
        + "to ask something: hotline ask TEXT")
  }

  /// Help and version go to standard output with status 0, all else is a usage error.
  private static func reportParsing(_ error: any Error) -> ExitStatus {
    var message = fullMessage(for: error)
    guard exitCode(for: error).isSuccess else {
      if message.hasPrefix("Error: ") { message.removeFirst("Error: ".count) }
      StandardDescriptors.writeError("hotline: \(message)\n")
      return .usage
    }
    var output = OutputWriter()
    output.append(message + "\n")
    do throws(CommandFailure) {
      try output.writeAll()
      return .completed
    } catch {
      error.report()
      return error.status
    }
  }
}
