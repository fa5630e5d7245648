/// What the core needs to know of one upstream event; its bytes stay with the driver.
package struct EventFacts: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// Part of a response, or of a kind that nobody knows yet.
    case progress
    /// Progress that carries a piece of the answer's text.
    case text
    /// The last event of a response.
    case terminal(Outcome)
    /// An `error`: a request's last event, or the connection's.
    case error
    /// Concerns the connection: limits, rates, greetings.
    case notice
    /// Not one valid JSON object, or one that only the daemon may write.
    case unusable
  }

  package var kind: Kind
  /// Its type begins with `response.`.
  package var isResponseEvent = false
  /// The response that it names, if it does.
  package var responseID: ByteString?
  package var errorCode: ByteString?
  /// Code and message of an error, sanitised, for messages and logs.
  package var errorDetail: String?
  /// The `usage` object of a terminal event.
  package var usage: ByteString?

  package init(_ kind: Kind, isResponseEvent: Bool = false) {
    self.kind = kind
    self.isResponseEvent = isResponseEvent
  }
}

extension Broker {
  /// What to do with a plain progress event.
  package enum Progress: Hashable, Sendable {
    case deliver(RequestNumber)
    /// Its client does not want to see it.
    case skip
    /// Not so plain: ``eventArrived(_:on:of:unreadBytes:at:)`` decides.
    case unusual
  }

  /// The hot path: a `response.*` progress event that names no response.
  ///
  /// - Parameter unreadBytes: what waits unread at the client of the running request.
  package mutating func progressArrived(
    isText: Bool, on connection: ConnectionNumber, of upstream: UpstreamIndex, unreadBytes: Int,
    at now: MonotonicInstant
  ) -> Progress {
    let progress = upstreams[upstream.rawValue].pool.connections[connection]?
      .progressArrived(isText: isText, mayWrite: unreadBytes < limits.bufferBytesMax, at: now)
    if case .deliver = progress { counters.eventsDelivered += 1 }
    return progress ?? .unusual
  }

  /// Any event of an upstream.
  package mutating func eventArrived(
    _ event: EventFacts, on number: ConnectionNumber, of upstream: UpstreamIndex,
    unreadBytes: Int, at now: MonotonicInstant
  ) -> [Action] {
    let index = upstream.rawValue
    guard let connection = upstreams[index].pool.connections[number], connection.isOpen else {
      return []
    }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .deliversBeforeTheHandOver,
        case .busy(let running) = connection.lanes[0].state
      {
        return conclude(
          busyEvent(event, running, on: connection, index, unreadBytes: unreadBytes, at: now),
          at: now)
      }
    #endif
    let actions: [Action]
    switch connection.lanes[0].state {
    case .abandoned(let running, _) where running.isHandedOver:
      actions = abandonedEvent(event, running, on: connection, index, at: now)
    case .busy(let running) where running.isHandedOver:
      actions = busyEvent(
        event, running, on: connection, index, unreadBytes: unreadBytes, at: now)
    case .idle, .abandoned, .busy:
      actions = strayEvent(event, on: connection, index, at: now)
    }
    return conclude(actions, at: now)
  }

  // MARK: Nothing runs

  /// Nothing runs, or what is to run was not handed over yet, so that the event cannot be of it.
  private mutating func strayEvent(
    _ event: EventFacts, on connection: UpstreamConnection, _ index: Int,
    at now: MonotonicInstant
  ) -> [Action] {
    switch event.kind {
    case .progress, .text, .notice:
      guard event.isResponseEvent else {
        counters.idleEventsIgnored += 1
        return []
      }
    case .terminal, .error, .unusable:
      break
    }
    let reason: CloseReason = event.isForTheConnectionsSake ? .refusedByServer : .unexpectedEvent
    let actions =
      lose(connection.number, of: index, event.asFailure, at: now)
      + close(connection.number, of: index, reason, at: now)
    countFailure(event, of: connection, index, at: now)
    return actions
  }

  /// An opening that is followed by a complaint at once is a failed dial, or else a server that
  /// complains to everybody would be dialled in a loop.
  private mutating func countFailure(
    _ event: EventFacts, of connection: UpstreamConnection, _ index: Int, at now: MonotonicInstant
  ) {
    guard !connection.isSettled(at: now) || event.isHopeless else { return }
    upstreams[index].pool.dialFailed(event.asFailure, isHopeless: event.isHopeless, at: now)
  }

  /// Nobody wants the response: it is read to its end.
  private mutating func abandonedEvent(
    _ event: EventFacts, _ running: Lane.Running, on connection: UpstreamConnection,
    _ index: Int, at now: MonotonicInstant
  ) -> [Action] {
    counters.abandonedEvents += 1
    var running = running
    guard note(event, &running, connection.lanes[0], at: now) == nil else {
      return close(connection.number, of: index, .unexpectedEvent, at: now)
    }
    upstreams[index].pool.connections[connection.number]?.lanes[0].noted(running, event)
    switch event.kind {
    case .progress, .text, .notice, .unusable:
      return []
    case .terminal:
      upstreams[index].pool.connections[connection.number]?.laneFreed(0, running, at: now)
      return running.isSteered ? close(connection.number, of: index, .steered, at: now) : []
    case .error:
      return close(connection.number, of: index, .abandoned, at: now)
    }
  }

  // MARK: A request runs

  private mutating func busyEvent(
    _ event: EventFacts, _ running: Lane.Running, on connection: UpstreamConnection,
    _ index: Int, unreadBytes: Int, at now: MonotonicInstant
  ) -> [Action] {
    var running = running
    if let complaint = note(event, &running, connection.lanes[0], at: now) {
      let failure = ConnectionFailure(.protocolViolation, complaint)
      let actions =
        lose(connection.number, of: index, failure, at: now)
        + close(connection.number, of: index, .unexpectedEvent, at: now)
      countFailure(event, of: connection, index, at: now)
      return actions
    }
    let number = connection.number
    upstreams[index].pool.connections[number]?.lanes[0].noted(running, event)
    if event.isResponseEvent { upstreams[index].pool.proved(number) }
    if event.kind == .error, !running.hasResponse, event.isForTheConnectionsSake,
      let actions = sendElsewhere(running, event, on: connection, of: index, at: now)
    {
      return actions
    }
    return pass(event, running, on: number, index, unreadBytes: unreadBytes, at: now)
  }

  /// Notes what an event says of the running response.
  ///
  /// - Returns: a complaint if the event cannot be of this request. Without lane names, only the
  ///   response's id tells a late event of an earlier response from one of this request; so on a
  ///   server whose responses begin with their id, one that begins without is not believed.
  private func note(
    _ event: EventFacts, _ running: inout Lane.Running, _ lane: Lane, at now: MonotonicInstant
  ) -> String? {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .believesEveryEvent, event.isResponseEvent {
        running.isAnswered = true
        running.hasResponse = true
        running.responseID = event.responseID ?? running.responseID
        return nil
      }
    #endif
    if event.isResponseEvent {
      if let id = event.responseID {
        let isAnother = running.responseID.map { $0 != id && !running.isSteered } ?? false
        guard !isAnother, !lane.pastResponseIDs.contains(id) else {
          return "an event of another response came while a request was running"
        }
        running.responseID = id
      } else if !running.hasResponse, lane.beginsIdentified {
        return "an event came that may belong to an earlier response"
      }
      running.hasResponse = true
    }
    guard event.kind != .notice else { return nil }
    running.isAnswered = true
    if running.firstEventAt == nil { running.firstEventAt = now }
    if event.kind == .text, running.firstTextAt == nil { running.firstTextAt = now }
    return nil
  }

  /// Brings an event to the client of its request, and ends the request where it does.
  private mutating func pass(
    _ event: EventFacts, _ running: Lane.Running, on number: ConnectionNumber, _ index: Int,
    unreadBytes: Int, at now: MonotonicInstant
  ) -> [Action] {
    let fits = unreadBytes < limits.bufferBytesMax
    // A notice is of the connection: a slow reader misses it, and no more.
    let isWanted = running.filter.wants(event.kind) && (fits || event.kind != .notice)
    var actions: [Action] = []
    var outcome: Outcome?
    if isWanted, !fits {
      outcome = .error
    } else if isWanted {
      actions.append(.deliver(running.request))
      counters.eventsDelivered += 1
      upstreams[index].pool.connections[number]?.lanes[0].eventDelivered()
    }
    let slow = outcome.map { _ in slowReaderError(unreadBytes, sent: running.sent) }
    switch event.kind {
    case .progress, .text, .notice, .unusable:
      guard let slow else { return actions }
      return end(running.request, .error, with: slow, at: now)
    case .terminal(let ended):
      remember(running, ended, of: index, on: number)
      actions += end(
        running.request, outcome ?? ended, with: slow, usage: event.usage, lane: .freed, at: now)
      if running.isSteered { actions += close(number, of: index, .steered, at: now) }
      return actions
    case .error:
      evictPrevious(of: running.request, index)
      actions += end(running.request, .error, with: slow, lane: .freed, at: now)
      guard running.hasResponse || event.isForTheConnectionsSake else {
        upstreams[index].pool.proved(number)
        return actions
      }
      return actions + close(number, of: index, .errorInResponse, at: now)
    }
  }

  private func slowReaderError(_ unreadBytes: Int, sent: HotlineError.Sent) -> HotlineError {
    HotlineError(
      .slowReader,
      "\(unreadBytes) bytes wait unread at the client, the limit is socket.buffer_bytes_max; "
        + "read faster", origin: .client, sent: sent, isRetryable: true)
  }

  private mutating func remember(
    _ running: Lane.Running, _ outcome: Outcome, of index: Int, on number: ConnectionNumber
  ) {
    guard let request = requests[running.request] else { return }
    switch outcome {
    case .completed, .incomplete, .cancelled:
      guard let id = running.responseID else { return }
      let key = Affinity.ResponseKey(uid: request.uid, response: id)
      upstreams[index].affinity.responseMade(key, on: number)
    case .failed, .error:
      evictPrevious(of: running.request, index)
    }
  }

  private mutating func evictPrevious(of number: RequestNumber, _ index: Int) {
    guard let key = requests[number]?.previousResponseKey else { return }
    upstreams[index].affinity.responseEvicted(key)
  }

  /// The server refused a request unread because of the connection: it goes to another, once.
  ///
  /// - Returns: nil if it has been sent twice already: the error is passed on.
  private mutating func sendElsewhere(
    _ running: Lane.Running, _ event: EventFacts, on connection: UpstreamConnection, of index: Int,
    at now: MonotonicInstant
  ) -> [Action]? {
    let (request, number) = (running.request, connection.number)
    guard requests[request]?.isResent == false else { return nil }
    let actions = sendAgain(request, sentBefore: .unknown, at: now)
    let closing = close(number, of: index, .refusedByServer, at: now)
    countFailure(event, of: connection, index, at: now)
    // In the order of the decisions: a client is closed after its last line.
    return actions + closing
  }
}

extension UpstreamConnection {
  fileprivate mutating func progressArrived(
    isText: Bool, mayWrite: Bool, at now: MonotonicInstant
  ) -> Broker.Progress {
    guard isOpen, case .busy(var running) = lanes[0].state, running.hasResponse,
      mayWrite || running.filter == .final
    else { return .unusual }
    let isWanted = running.filter == .all || (isText && running.filter == .text)
    let isFirstText = isText && running.firstTextAt == nil
    guard isWanted || isFirstText else { return .skip }
    if isFirstText { running.firstTextAt = now }
    if isWanted { running.eventsDelivered += 1 }
    lanes[0].state = .busy(running)
    return isWanted ? .deliver(running.request) : .skip
  }
}

extension Lane {
  /// Keeps what an event said of the response here.
  fileprivate mutating func noted(_ noted: Running, _ event: EventFacts) {
    let isFirst: Bool
    switch state {
    case .idle:
      return
    case .busy(let before):
      isFirst = !before.hasResponse && noted.hasResponse
      state = .busy(noted)
    case .abandoned(let before, let giveUpAt):
      isFirst = !before.hasResponse && noted.hasResponse
      state = .abandoned(noted, giveUpAt: giveUpAt)
    }
    if isFirst { beginsIdentified = event.responseID != nil }
  }

  fileprivate mutating func eventDelivered() {
    guard case .busy(var running) = state else { return }
    running.eventsDelivered += 1
    state = .busy(running)
  }
}

extension EventFilter {
  func wants(_ kind: EventFacts.Kind) -> Bool {
    switch (self, kind) {
    case (.all, _), (_, .terminal), (_, .error), (.text, .text): true
    case (.text, .progress), (.text, .notice), (.text, .unusable), (.final, .progress),
      (.final, .text), (.final, .notice), (.final, .unusable):
      false
    }
  }
}

extension EventFacts {
  /// Errors that say that this connection, not the request, has come to its end.
  var isForTheConnectionsSake: Bool {
    guard kind == .error, let errorCode else { return false }
    return errorCode == "websocket_connection_limit_reached" || errorCode == "session_expired"
      || isHopeless
  }

  /// The server will answer every connection that way.
  var isHopeless: Bool { kind == .error && errorCode == "beta_api_shape_disabled" }

  var asFailure: ConnectionFailure {
    ConnectionFailure(
      .protocolViolation, errorDetail ?? "an unexpected message came right after the opening")
  }
}
