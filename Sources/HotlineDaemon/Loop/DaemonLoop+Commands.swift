import HotlineCore
import HotlineTransport
import HotlineWire
import Logging
import NIOCore

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
  /// What is no request's.
  func questionArrived(
    _ message: ClientMessage, _ line: ByteBuffer, from client: ClientHandler,
    at now: MonotonicInstant
  ) {
    switch message {
    case .ping(let echo):
      let pong = LocalLine.Pong(
        requestID: echo.map(line.bytes), version: hotlineVersion,
        processID: ownProcessID, uptime: startedAt.duration(to: now))
      writeOwn(to: client) { pong.append(to: &$0) }
    case .status(let echo):
      let status = StatusLine(self, echo: echo.map(line.bytes), for: client.uid, at: now)
      writeOwn(to: client) { status.append(to: &$0) }
    case .stats(let echo):
      let stats = StatsLine(self, echo: echo.map(line.bytes), for: client.uid, at: now)
      writeOwn(to: client) { stats.append(to: &$0) }
    case .watch(let options, let echo):
      watchRequested(options, echo.map(line.bytes), by: client, at: now)
    case .config(let echo):
      configRequested(echo.map(line.bytes), by: client)
    case .cancelOther(let number, let id, let spelling):
      cancelRequested(id, line.bytes(in: spelling), of: number, by: client, at: now)
    case .drain(let echo):
      drainRequested(echo.map(line.bytes), by: client, at: now)
    case .reload(let echo):
      reloadRequested(echo.map(line.bytes), by: client)
    case .request, .cancel, .forward, .refused:
      preconditionFailure("a request is no question")
    }
  }

  private func configRequested(_ echo: [UInt8]?, by client: ClientHandler) {
    atHand = .line(client, idSpelling: echo)
    if let error = broker.commandRefusal(for: client.number) {
      return perform(broker.requestRefused(error, from: client.number))
    }
    let config = ConfigLine(configuration: configuration, echo: echo)
    writeOwn(to: client) { config.append(to: &$0) }
  }

  private func cancelRequested(
    _ id: RequestID, _ spelling: [UInt8], of number: ClientNumber, by client: ClientHandler,
    at now: MonotonicInstant
  ) {
    atHand = .line(client, idSpelling: spelling)
    do throws(HotlineError) {
      perform(try broker.cancelRequested(id, of: number, by: client.number, at: now))
      log.info("a request was cancelled", metadata: describe(client))
      writeOwn(to: client) { LocalLine.Ok(requestID: spelling).append(to: &$0) }
    } catch {
      perform(broker.requestRefused(error, from: client.number))
    }
  }

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
        "\(Self.commandsPerClientMax) commands of this client wait for their answers already; "
          + "wait for one",
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
