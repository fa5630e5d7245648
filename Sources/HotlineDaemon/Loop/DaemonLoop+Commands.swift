import HotlineCore
import HotlineTransport
import HotlineWire
import Logging

/// A line that is answered later than it came: `hotline.drain`, `hotline.reload`.
struct PendingCommand {
  enum Kind {
    /// The core answers it, and keeps its client until then.
    case drain
    /// The driver does both.
    case reload
  }

  let kind: Kind
  weak var client: ClientHandler?
  /// The value of its `request_id` as spelt.
  let echo: [UInt8]?
}

extension DaemonLoop {
  /// Commands of one client that may wait for their answers.
  static let commandsPerClientMax = 64

  func drainRequested(_ echo: [UInt8]?, by client: ClientHandler, at now: MonotonicInstant) {
    atHand = .line(client, idSpelling: echo)
    guard let number = newCommand(.drain, echo, by: client) else { return }
    let wasDraining = broker.isDraining
    perform(broker.drainRequested(number, by: client.number, at: now))
    guard broker.isDraining, !wasDraining else { return }
    log.info(
      "draining: new requests are refused, accepted ones finished", metadata: describe(client))
    onChange?()
  }

  func reloadRequested(_ echo: [UInt8]?, by client: ClientHandler) {
    atHand = .line(client, idSpelling: echo)
    guard let number = newCommand(.reload, echo, by: client) else { return }
    log.info("a client asks for a reload", metadata: describe(client))
    reload(for: .command(number))
  }

  /// - Returns: nil if it was refused.
  private func newCommand(
    _ kind: PendingCommand.Kind, _ echo: [UInt8]?, by client: ClientHandler
  ) -> CommandNumber? {
    if let error = broker.commandRefusal(for: client.number) {
      perform(broker.requestRefused(error, from: client.number))
      return nil
    }
    guard commands.values.count(where: { $0.client === client }) < Self.commandsPerClientMax else {
      let error = HotlineError(
        .tooManyRequests,
        "\(Self.commandsPerClientMax) commands of this client wait for their answers already",
        isRetryable: true)
      perform(broker.requestRefused(error, from: client.number))
      return nil
    }
    let number = CommandNumber(nextCommand)
    nextCommand += 1
    commands[number] = PendingCommand(kind: kind, client: client, echo: echo)
    return number
  }

  /// Answers a command; nothing happens if its client is gone.
  func answer(_ number: CommandNumber, _ error: HotlineError?, warnings: [String] = []) {
    guard let command = commands.removeValue(forKey: number), let client = command.client else {
      return
    }
    writeOwn(to: client) { line in
      if let error {
        LocalLine.Failure(requestID: command.echo, error: error, isAccepted: false)
          .append(to: &line)
      } else {
        LocalLine.Ok(requestID: command.echo, warnings: warnings).append(to: &line)
      }
    }
  }

  /// Whether a client that has shut down its writing side waits for something that the core does
  /// not know of.
  func awaitsReload(_ client: ClientHandler) -> Bool {
    commands.values.contains { $0.client === client && $0.kind == .reload }
  }

  func forgetCommands(of client: ClientHandler) {
    guard !commands.isEmpty else { return }
    for (number, command) in commands where command.client === client { commands[number] = nil }
  }
}
