import HotlineCore
import HotlineSystem
import HotlineTransport
import HotlineWire
import Logging
import NIOCore

/// What local clients say.
extension DaemonLoop: ClientHandlerDelegate {
  /// A handler for a connection that was just accepted.
  func makeClient(descriptor: CInt) -> ClientHandler {
    var clientLimits = ClientHandlerLimits()
    clientLimits.lineBytesMax = limits.lineBytesMax
    let client = ClientHandler(
      number: ClientNumber(nextClient), limits: clientLimits, buffers: buffers, ledger: ledger,
      delegate: self)
    nextClient += 1
    // Without credentials the uid is one that nobody has, and is refused.
    let peer = PeerCredentials.of(descriptor: descriptor)
    client.uid = peer?.uid ?? .max
    client.processID = peer?.pid ?? 0
    if let peer, !isTrusted(client) {
      client.groupIDs = Set(PeerCredentials.groups(ofPeerAt: descriptor) + [peer.gid])
    }
    client.isAllowed = isAllowed(client)
    return client
  }

  private func isTrusted(_ client: ClientHandler) -> Bool {
    client.uid == broker.ownerUID || client.uid == 0
  }

  /// Whether the configuration lets in whom neither being the owner nor being root does.
  private func isAllowed(_ client: ClientHandler) -> Bool {
    configuration.service.allowedUIDs.contains(client.uid)
      || !configuration.service.allowedGIDs.isDisjoint(with: client.groupIDs)
  }

  /// Ends the connections of whom a new configuration no longer lets in.
  func dismissStrangers(at now: MonotonicInstant) {
    for client in clients.values.sorted(by: { $0.number < $1.number })
    where !isTrusted(client) && !isAllowed(client) {
      log.notice(
        "a client is no longer allowed",
        metadata: describe(client).merging(["client_uid": "\(client.uid)"]) { own, _ in own })
      perform(broker.clientDismissed(client.number, at: now))
    }
  }

  /// Lets a client in, or leaves a trace of who was refused.
  func admit(_ client: ClientHandler, at now: MonotonicInstant) {
    let actions = broker.clientConnected(
      client.number, uid: client.uid, isAllowed: client.isAllowed, at: now)
    if !actions.isEmpty {
      log.notice(
        "a client was refused",
        metadata: describe(client).merging(["client_uid": "\(client.uid)"]) { own, _ in own })
    }
    perform(actions)
  }

  /// Whom the log speaks of.
  func describe(_ client: ClientHandler) -> Logger.Metadata {
    ["client_command": "\(commandName(of: client))", "client_pid": "\(client.processID)"]
  }

  /// The client's command, looked up once.
  func commandName(of client: ClientHandler) -> String {
    if let name = client.commandName { return name }
    let name = PeerCredentials.commandName(ofProcess: client.processID) ?? "?"
    client.commandName = name
    return name
  }

  func clientConnected(_ client: ClientHandler) {
    clients[client.number] = client
    step(.clientConnected(client))
  }

  func clientSent(_ client: ClientHandler, line: ByteBuffer) {
    batchBegan()
    let message = line.withUnsafeReadableBytes {
      ClientMessage.parse($0, limits: messageLimits)
    }
    step(.line(client, line, message))
  }

  private var messageLimits: ClientMessage.Limits {
    var messageLimits = ClientMessage.Limits()
    messageLimits.depthMax = limits.nestingMax
    return messageLimits
  }

  func clientSentTooLong(_ client: ClientHandler) {
    batchBegan()
    let error = HotlineError(
      .lineTooLong,
      "a line has more than \(limits.lineBytesMax) bytes (socket.line_bytes_max); it was skipped; "
        + "send less, or raise the limit", origin: .client)
    step(.lineRefused(client, error))
  }

  func clientLineAbandoned(_ client: ClientHandler) {
    batchBegan()
    let error = HotlineError(
      .queueFull,
      "the daemon holds more than \(limits.memoryBytesMax) bytes (socket.memory_max); "
        + "the line was skipped; send it again later, or raise the limit", isRetryable: true)
    step(.lineRefused(client, error))
  }

  func clientReadCompleted(_ client: ClientHandler) {
    batchEnded()
    // Its requests will be counted under that name. Now there is nothing to do but to wait for the
    // server, and later the process may be gone.
    if client.commandName == nil, broker.openRequestCount(of: client.number) > 0 {
      _ = commandName(of: client)
    }
  }

  func clientHalfClosed(_ client: ClientHandler) {
    client.halfClosedAt = now
    step(.clientHalfClosed(client))
  }

  func clientClosed(_ client: ClientHandler) {
    if broker.openRequestCount(of: client.number) > 0 {
      // Its requests are counted under that name; later the process may be another's.
      let name = commandName(of: client)
      if let halfClosedAt = client.halfClosedAt {
        hangUpHint.clientClosed(client, name, halfClosedAt: halfClosedAt, at: now, log)
      }
    }
    step(.clientClosed(client))
    forgetCommands(of: client)
    forgetWatch(of: client)
    clients[client.number] = nil
    batchEnded()
    onGone?()
  }

  // MARK: Lines

  func lineArrived(
    _ message: ClientMessage, _ line: ByteBuffer, from client: ClientHandler,
    at now: MonotonicInstant
  ) {
    switch message {
    case .request(let request):
      requestArrived(request, line, from: client, at: now)
    case .cancel(let id, let spelling):
      atHand = .line(client, idSpelling: line.bytes(in: spelling))
      perform(broker.cancelRequested(id, by: client.number, at: now))
    case .forward(let control):
      atHand = .control(client, control, line)
      perform(
        broker.controlArrived(
          control.kind, for: control.id, responseID: control.responseID, from: client.number))
    case .ping, .status, .stats, .watch, .config, .cancelOther, .drain, .reload:
      questionArrived(message, line, from: client, at: now)
    case .refused(let error, let spelling):
      refuse(error, echo: spelling.map(line.bytes), to: client)
    }
  }

  private func refuse(_ error: HotlineError, echo: [UInt8]?, to client: ClientHandler) {
    atHand = .line(client, idSpelling: echo)
    perform(broker.requestRefused(error, from: client.number))
  }

  private func requestArrived(
    _ request: ClientRequest, _ line: ByteBuffer, from client: ClientHandler,
    at now: MonotonicInstant
  ) {
    let spelling = request.idSpelling.map(line.bytes)
    atHand = .line(client, idSpelling: spelling)
    guard let upstream = upstreamIndex(of: request) else {
      let names = upstreams.filter { !$0.isRemoved }.map(\.configuration.name)
        .joined(separator: ", ")
      let name = LogText.excerpt(request.options.upstream?.description ?? "", charactersMax: 64)
      let error = HotlineError(
        .unknownUpstream, "no upstream \"\(name)\" is configured; there are: \(names)",
        origin: .client, param: "hotline.upstream")
      perform(broker.requestRefused(error, from: client.number))
      return
    }
    if let error = budgetRefusal(of: request, from: client) {
      perform(broker.requestRefused(error, from: client.number))
      return
    }
    do throws(HotlineError) {
      try check(request, against: upstream)
      atHand = .request(client, request, line, idSpelling: spelling, upstream)
    } catch {
      perform(broker.requestRefused(error, from: client.number))
      return
    }
    var spec = NewRequest(request, upstream: upstream)
    spec.alternatives = alternatives(to: upstream, for: request)
    perform(
      broker.requestArrived(
        spec, from: client.number, memoryHeld: ledger.bytes + line.readableBytes, at: now))
  }

  /// The message that is sent is made when the connection is known that takes it.
  ///
  /// - Throws: why an upstream would not take a request.
  private func check(
    _ request: ClientRequest, against upstream: UpstreamIndex
  ) throws(HotlineError) {
    let runtime = upstreams[upstream.rawValue]
    let hasLanes = runtime.configuration.limits.lanes > 1
    let longestLane = hasLanes ? LaneName.countMax - 1 : nil
    _ = try runtime.dialect.message(for: request.body, lane: longestLane)
  }

  /// Where else a request may go that does not say itself where.
  private func alternatives(
    to upstream: UpstreamIndex, for request: ClientRequest
  ) -> [UpstreamIndex] {
    guard request.options.upstream == nil else { return [] }
    return upstreams[upstream.rawValue].configuration.failover.compactMap { name in
      guard let index = upstreamsByName[ByteString(name.utf8)],
        (try? check(request, against: index)) != nil
      else { return nil }
      return index
    }
  }

  private func upstreamIndex(of request: ClientRequest) -> UpstreamIndex? {
    if let name = request.options.upstream { return upstreamsByName[name] }
    let model = request.model ?? configuration.defaults.model.map { ByteString($0.utf8) }
    guard let model, let name = configuration.routes.upstream(for: model) else {
      return defaultUpstream
    }
    return upstreamsByName[ByteString(name.utf8)]
  }
}

extension NewRequest {
  init(_ request: ClientRequest, upstream: UpstreamIndex) {
    self.init(id: request.id, upstream: upstream)
    conversation = request.options.conversation
    previousResponseID = request.previousResponseID
    promptCacheKey = request.promptCacheKey
    isUnstored = request.body.store == .false
    priority =
      switch request.options.priority {
      case .interactive: .interactive
      case .batch: .batch
      }
    events =
      switch request.options.events {
      case .all: .all
      case .text: .text
      case .final: .final
      }
    waitTimeout = request.options.queueTimeout
    timeout = request.options.timeout
    resendsUnanswered = request.options.resend == .unanswered
    finishesOnHangup = request.options.onHangup == .finish
  }
}

extension OutboundMessage {
  init(line: ByteBuffer, _ message: UpstreamMessage) {
    self.init(line: line, pieces: message.pieces)
  }
}

extension ByteBuffer {
  /// A copy of a part of the line.
  func bytes(in range: Range<Int>) -> [UInt8] {
    withUnsafeReadableBytes { Array($0[range]) }
  }
}
