import ArgumentParser
import Glibc

/// Runs `hotlined --store-key`, which knows where a key belongs, and has a running daemon read it.
struct KeyCommand: ParsableCommand {
  enum Action: String, ExpressibleByArgument, CaseIterable {
    case set
  }

  static let configuration = CommandConfiguration(
    commandName: "key",
    abstract: "Store the API key where the daemon looks for it.",
    usage: "hotline key set [--upstream NAME]",
    discussion: """
      The key is read from the terminal, where it is not shown, or from standard input. A daemon \
      that runs reads it at once.

      \(ExitStatus.table)
      """)

  @Argument(help: "What to do: set.")
  var action: Action

  @Option(
    help: ArgumentHelp("Whose key it is; else the default upstream's.", valueName: "name"))
  var upstream: String?

  @OptionGroup var options: SocketOptions

  func run() throws {
    let arguments = ["--store-key"] + (upstream.map { ["--upstream", $0] } ?? [])
    switch try DaemonProgram.run(arguments) {
    case 0: break
    case 78: throw CommandFailure(.configuration, nil)
    case 128 + SIGINT: throw CommandFailure(.interrupted, nil)
    default: throw CommandFailure(.failed, nil)
    }
    try reload()
  }

  /// Where nobody is there, the next daemon reads it. A socket that is held for one starts it.
  private func reload() throws(CommandFailure) {
    guard let path = try? options.path() else { return }
    do throws(CommandFailure) {
      let socket = try DaemonSocket(connectingTo: path)
      let question = Question(
        type: "hotline.reload", answerType: "hotline.ok", timeout: .seconds(10))
      _ = try question.ask(socket)
    } catch {
      guard error.status == .unreachable else { throw error }
    }
  }
}
