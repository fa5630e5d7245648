import HotlineCore
import HotlineTransport
import HotlineWire
import Logging
import NIOCore

/// The broker's imperatives, carried out.
extension DaemonLoop {
  func perform(_ actions: [Action]) {
    for action in actions { perform(action) }
  }

  private func perform(_ action: Action) {
    switch action {
    case .accept(let number, let madeID): accept(number, madeID: madeID)
    case .refuse(let client, let error): refuse(client, error)
    case .send(let number, let connection, let lane): send(number, on: connection, lane)
    case .warmUp(let number, let connection, let lane): warmUp(number, on: connection, lane)
    case .accountForWarmUp(let connection, let usage): account(forWarmUpOf: connection, usage)
    case .giveUpWarmUps(let upstream, let reason): giveUpWarmUps(upstream, reason)
    case .giveUpLanes(let upstream): giveUpLanes(upstream)
    case .forward(let number, let connection, let responseID):
      forward(for: number, to: connection, responseID)
    case .cancelResponse(let response, let connection): cancel(response, on: connection)
    case .deliver(let number): deliver(number)
    case .notifyQueued(let number, let position, let reason):
      notifyQueued(number, position, reason)
    case .finish(let number, let error, let completion): finish(number, error, completion)
    case .answer(let number, let error): answer(number, error)
    case .dial(let connection, let upstream): dial(connection, upstream)
    case .sendPing(let connection, let id): links[connection]?.handler?.ping(id: id)
    case .closeConnection(let connection, let reason): close(connection, reason)
    case .closeClient(let number): closeClient(number)
    case .stop: onStop?()
    }
  }

  // MARK: Requests

  private func accept(_ number: RequestNumber, madeID: ByteString?) {
    guard case .request(let client, let request, let line, let spelling, let upstream) = atHand
    else {
      preconditionFailure("a request was accepted that no line brought")
    }
    let idSpelling = spelling ?? madeID.map { JSONString.spelling(of: $0) } ?? []
    onChange?()
    requests[number] = RequestRecord(
      number: number, client: client, idSpelling: idSpelling,
      tag: request.options.tag?.description,
      model: request.model?.description ?? configuration.defaults.model,
      upstream: upstream, at: now, line: line.withoutSlack(), body: request.body, ledger: ledger)
  }

  private func send(_ number: RequestNumber, on connection: ConnectionNumber, _ lane: Int?) {
    guard let record = requests[number], let link = links[connection],
      let handler = link.handler, let line = record.line
    else { preconditionFailure("a request or a connection to send on is gone") }
    if let before = record.connection { links[before]?.ended(record) }
    record.connection = connection
    record.upstream = link.upstream
    link.began(record, on: lane)
    // Where others run beside it nobody's server is held up.
    if link.running == nil { release(link) }
    let message = link.dialect.message(forAccepted: record.body, lane: lane)
    handler.send(OutboundMessage(line: line, message), token: number.rawValue)
  }

  /// Control messages that may wait for one server to read on.
  private static let controlMessagesUnsentMax = 16

  private func forward(
    for number: RequestNumber, to connection: ConnectionNumber, _ responseID: ByteString
  ) {
    guard case .control(let client, let control, let line) = atHand, let link = links[connection]
    else { preconditionFailure("a control message was forwarded that no line brought") }
    do throws(HotlineError) {
      guard link.handler?.messagesUnsent ?? 0 < Self.controlMessagesUnsentMax else {
        throw HotlineError(
          .queueFull,
          "the server does not take control messages as fast as they come; send it again later",
          origin: .upstream, isRetryable: true)
      }
      let message = try link.dialect.message(for: control, responseID: responseID)
      let copy = line.withoutSlack()
      link.handler?.send(OutboundMessage(line: copy, message), token: 0)
    } catch {
      let spelling = line.bytes(in: control.idSpelling)
      writeOwn(LocalLine.Failure(requestID: spelling, error: error, isAccepted: false), to: client)
      step(.controlWithdrawn(control.kind, for: number))
    }
  }

  private func cancel(_ response: ByteString, on connection: ConnectionNumber) {
    let message = UpstreamMessage(cancelling: response)
    links[connection]?.handler?.send(OutboundMessage(line: ByteBuffer(), message), token: 0)
  }

  private func deliver(_ number: RequestNumber) {
    guard case .event(let event) = atHand, let record = requests[number] else { return }
    let client = record.client
    event.write(to: client, idSpelling: record.idSpelling, scratch: &scratch)
    markDirty(client)
  }

  private func notifyQueued(_ number: RequestNumber, _ position: Int, _ reason: QueuedReason) {
    guard let record = requests[number] else { return }
    let line = LocalLine.Queued(
      requestID: record.idSpelling, position: position, reason: reason)
    write(to: record.client) { line.append(to: &$0) }
  }

  private func finish(
    _ number: RequestNumber, _ error: HotlineError?, _ completion: Completion
  ) {
    guard let record = requests.removeValue(forKey: number) else {
      preconditionFailure("a request ended twice")
    }
    onChange?()
    if let connection = record.connection, let link = links[connection], link.holds(record) {
      link.ended(record)
      release(link)
    }
    record.releaseLine()
    record.upstream = completion.upstream
    let end = account(for: record, error, completion)
    logEnd(record, end)
    write(to: record.client) { bytes in
      if let error {
        LocalLine.Failure(requestID: record.idSpelling, error: error, isAccepted: true)
          .append(to: &bytes)
      }
      LocalLine.Done(end).append(to: &bytes)
    }
  }

  private func logEnd(_ record: RequestRecord, _ end: RequestEnd) {
    log.debug(
      "request ended",
      metadata: [
        "request": "\(record.number.rawValue)", "outcome": "\(end.completion.outcome.rawValue)",
        "code": "\(end.error?.rawValue ?? "none")", "tag": "\(end.tag)",
        "connection": "\(end.completion.connection?.rawValue ?? 0)",
      ])
  }

  // MARK: Clients

  private func refuse(_ number: ClientNumber, _ error: HotlineError) {
    let spelling: [UInt8]? =
      switch atHand {
      case .request(_, _, _, let spelling, _), .line(_, let spelling): spelling
      case .control(_, let control, let line): line.bytes(in: control.idSpelling)
      case .nothing, .event: nil
      }
    guard let client = clients[number] else { return }
    writeOwn(LocalLine.Failure(requestID: spelling, error: error, isAccepted: false), to: client)
  }

  private func closeClient(_ number: ClientNumber) {
    clients[number]?.close(lingers: true)
  }

  func writeOwn(_ line: LocalLine.Failure, to client: ClientHandler) {
    writeOwn(to: client) { line.append(to: &$0) }
  }

  /// A line of the daemon's own that is no answer to a request.
  func writeOwn(to client: ClientHandler, _ fill: (inout [UInt8]) -> Void) {
    scratch.removeAll(keepingCapacity: true)
    fill(&scratch)
    client.writeOwn(scratch)
    markDirty(client)
  }

  private func write(to client: ClientHandler, _ fill: (inout [UInt8]) -> Void) {
    scratch.removeAll(keepingCapacity: true)
    fill(&scratch)
    client.write(scratch)
    markDirty(client)
  }

  // MARK: Connections

  private func dial(_ connection: ConnectionNumber, _ upstream: UpstreamIndex) {
    let runtime = upstreams[upstream.rawValue]
    let link = UpstreamLink(connection, of: upstream, runtime, at: now)
    links[connection] = link
    link.handler = dialer.dial(
      connection, to: runtime.endpoint, options: runtime.options, delegate: self)
  }

  private func close(_ connection: ConnectionNumber, _ reason: CloseReason) {
    guard let link = links[connection] else { return }
    link.allEnded()
    log.log(
      level: reason.isRoutine ? .debug : .notice, "upstream connection closed by the daemon",
      metadata: [
        "upstream": "\(upstreams[link.upstream.rawValue].configuration.name)",
        "connection": "\(connection.rawValue)", "reason": "\(reason.rawValue)",
      ])
    switch reason {
    case .pongTimeout: link.handler?.drop(reason.rawValue)
    case .unexpectedEvent: link.handler?.close(code: 1002, reason: reason.rawValue)
    case .idleLimit, .ageLimit, .surplus, .abandoned, .abandonedTimeout, .refusedByServer,
      .errorInResponse, .steered, .reloaded, .shutdown:
      link.handler?.close(code: 1000, reason: "")
    }
  }
}

extension CloseReason {
  fileprivate var isRoutine: Bool {
    switch self {
    case .idleLimit, .ageLimit, .surplus, .abandoned, .steered, .reloaded, .shutdown: true
    case .pongTimeout, .abandonedTimeout, .unexpectedEvent, .refusedByServer, .errorInResponse:
      false
    }
  }
}

extension LocalLine.Done {
  init(_ end: RequestEnd) {
    let completion = end.completion
    self.init(
      requestID: end.idSpelling, outcome: completion.outcome, isResent: completion.isResent,
      eventCount: completion.events)
    responseID = completion.responseID
    upstream = end.upstream
    connection = completion.connection
    isReused = completion.isReused
    usage = completion.usage?.bytes
    cost = end.cost
    queued = completion.queued
    firstEvent = completion.firstEvent
    firstText = completion.firstText
    total = completion.total
  }
}
