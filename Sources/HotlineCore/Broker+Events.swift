extension Broker {
  /// What to do with a plain progress event.
  package enum Progress: Hashable, Sendable {
    case deliver(RequestNumber)
    /// Its client does not want to see it.
    case skip
    /// Not so plain: ``eventArrived(_:on:of:unreadBytes:at:)`` decides.
    case unusual
  }

  /// Said of a client that has not read all it has, while what is held is over `memoryBytesMax`.
  package static let unreadBytesOverMemory = Int.max

  /// The hot path: a `response.*` progress event that names no response.
  ///
  /// - Parameter unreadBytes: what waits unread at the client of the running request.
  package mutating func progressArrived(
    isText: Bool, on connection: ConnectionNumber, of upstream: UpstreamIndex,
    lane: LaneReference = .none, unreadBytes: Int, at now: MonotonicInstant
  ) -> Progress {
    let mayWrite = unreadBytes < limits.bufferBytesMax
    let progress = upstreams[upstream.rawValue].pool.connections.change(connection) {
      $0.progressArrived(isText: isText, lane, mayWrite: mayWrite, at: now)
    }
    if case .deliver = progress { counters.eventsDelivered += 1 }
    return progress ?? .unusual
  }

  /// Any event of an upstream.
  ///
  /// - Parameter unreadBytes: what waits unread at the client whose response the event is of, or
  ///   which alone runs there.
  package mutating func eventArrived(
    _ event: EventFacts, on number: ConnectionNumber, of upstream: UpstreamIndex,
    unreadBytes: Int, at now: MonotonicInstant
  ) -> [Action] {
    let index = upstream.rawValue
    guard upstreams[index].pool.connections[number]?.isOpen == true else { return [] }
    var actions = learnLanes(from: event, on: number, of: index)
    guard let connection = upstreams[index].pool.connections[number] else { return actions }
    switch connection.refusal(in: event) {
    case .no: break
    case .of(let lane):
      actions += controlAnswered(
        .refused, by: event.asRefusal, on: connection, lane: lane, index, unreadBytes: unreadBytes,
        at: now)
      return conclude(actions, at: now)
    case .unclear:
      counters.idleEventsIgnored += 1
      return conclude(actions, at: now)
    }
    switch connection.addressee(of: event) {
    case .lane(let lane):
      actions += laneEvent(
        event, on: connection, lane: lane, index, unreadBytes: unreadBytes, at: now)
    case .connection where event.isForTheConnectionsSake:
      actions += connectionRefused(event, on: connection, index, at: now)
    case .connection:
      counters.idleEventsIgnored += 1
    case .nobody:
      let failure = ConnectionFailure(
        .protocolViolation, "an event came that names no lane that is in use")
      actions += violation(failure, event, on: connection, index, at: now)
    }
    return conclude(actions, at: now)
  }

  private mutating func laneEvent(
    _ event: EventFacts, on connection: UpstreamConnection, lane: Int, _ index: Int,
    unreadBytes: Int, at now: MonotonicInstant
  ) -> [Action] {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .deliversBeforeTheHandOver,
        case .busy(let running) = connection.lanes[lane].state
      {
        return busyEvent(
          event, running, on: connection, lane, index, unreadBytes: unreadBytes, at: now)
      }
    #endif
    switch connection.lanes[lane].state {
    case .abandoned(let running, let giveUpAt) where running.isHandedOver:
      return abandonedEvent(
        event, running, until: giveUpAt, on: connection, lane, index, at: now)
    case .warming(let running, let giveUpAt) where running.isHandedOver:
      return warmUpEvent(event, running, until: giveUpAt, on: connection, lane, index, at: now)
    case .busy(let running) where running.isHandedOver:
      return busyEvent(
        event, running, on: connection, lane, index, unreadBytes: unreadBytes, at: now)
    case .spent:
      counters.abandonedEvents += 1
      return []
    case .idle, .warming, .abandoned, .busy:
      return strayEvent(event, on: connection, index, at: now)
    }
  }

  // MARK: Nothing runs

  /// Nothing runs on the lane, or what is to run was not handed over yet, so that the event cannot
  /// be of it.
  private mutating func strayEvent(
    _ event: EventFacts, on connection: UpstreamConnection, _ index: Int,
    at now: MonotonicInstant
  ) -> [Action] {
    switch event.kind {
    case .notice where !event.isResponseEvent:
      counters.idleEventsIgnored += 1
      return []
    case .progress, .text, .notice:
      guard event.isResponseEvent || (connection.namesLanes && event.lane != .none) else {
        counters.idleEventsIgnored += 1
        return []
      }
    case .terminal, .error, .unusable:
      break
    }
    return violation(event.asFailure, event, on: connection, index, at: now)
  }

  /// The server said something that it must not: nothing on its connection can be trusted.
  mutating func violation(
    _ failure: ConnectionFailure, _ event: EventFacts, on connection: UpstreamConnection,
    _ index: Int, at now: MonotonicInstant
  ) -> [Action] {
    let reason: CloseReason = event.isForTheConnectionsSake ? .refusedByServer : .unexpectedEvent
    let actions =
      lose(connection.number, of: index, failure, at: now)
      + close(connection.number, of: index, reason, at: now)
    countFailure(event, of: connection, index, at: now)
    return actions
  }

  /// An opening that is followed by a complaint at once is a failed dial, or else a server that
  /// complains to everybody would be dialled in a loop.
  mutating func countFailure(
    _ event: EventFacts, of connection: UpstreamConnection, _ index: Int, at now: MonotonicInstant
  ) {
    guard !connection.isSettled(at: now) || event.isHopeless else { return }
    if upstreams[index].pool.dialFailed(
      event.asFailure, isHopeless: event.isHopeless, at: now)
    {
      counters.circuitsOpened += 1
    }
  }

  /// The server is done with a connection that carries several responses: what it has not begun
  /// goes elsewhere, once, and what it has begun may end.
  private mutating func connectionRefused(
    _ event: EventFacts, on connection: UpstreamConnection, _ index: Int,
    at now: MonotonicInstant
  ) -> [Action] {
    var actions: [Action] = []
    for running in connection.lanes.compactMap(\.running)
    where running.isHandedOver && !running.hasResponse
      && requests[running.request]?.isResent == false
    {
      actions += sendAgain(running.request, sentBefore: .unknown, at: now)
    }
    actions += retire(connection.number, of: index, .refusedByServer, at: now)
    countFailure(event, of: connection, index, at: now)
    return actions
  }

  /// Nobody wants the response: it is read to its end.
  private mutating func abandonedEvent(
    _ event: EventFacts, _ running: Lane.Running, until giveUpAt: MonotonicInstant,
    on connection: UpstreamConnection, _ lane: Int, _ index: Int, at now: MonotonicInstant
  ) -> [Action] {
    let number = connection.number
    if let answer = event.controlAnswer {
      return controlAnswered(
        answer, by: event, on: connection, lane: lane, index, unreadBytes: 0, at: now)
    }
    counters.abandonedEvents += 1
    var running = running
    if let complaint = note(event, &running, connection.lanes[lane], at: now) {
      let failure = ConnectionFailure(.protocolViolation, complaint)
      return violation(failure, event, on: connection, index, at: now)
    }
    upstreams[index].pool.connections[number]?.lanes[lane].noted(running, event)
    switch event.kind {
    case .progress, .text, .notice, .unusable:
      return askToCancel(lane, of: number, index)
    case .terminal(let outcome):
      upstreams[index].pool.connections[number]?.lanes[lane]
        .responseEnded(event, outcome, giveUpAt: giveUpAt)
      return endIfSettled(lane, of: number, index, at: now)
    case .error:
      freeLane(lane, of: number, index, running, isSpent: true, at: now)
      return retire(number, of: index, event.reasonToRetire, at: now)
    }
  }

  // MARK: A request runs

  private mutating func busyEvent(
    _ event: EventFacts, _ running: Lane.Running, on connection: UpstreamConnection, _ lane: Int,
    _ index: Int, unreadBytes: Int, at now: MonotonicInstant
  ) -> [Action] {
    if let answer = event.controlAnswer {
      return controlAnswered(
        answer, by: event, on: connection, lane: lane, index, unreadBytes: unreadBytes, at: now)
    }
    var running = running
    if let complaint = note(event, &running, connection.lanes[lane], at: now) {
      let failure = ConnectionFailure(.protocolViolation, complaint)
      return violation(failure, event, on: connection, index, at: now)
    }
    let number = connection.number
    upstreams[index].pool.connections[number]?.lanes[lane].noted(running, event)
    if event.isResponseEvent { upstreams[index].pool.proved(number) }
    if event.kind == .error, !running.hasResponse,
      event.isForTheConnectionsSake || connection.isRefusedLane(event),
      let actions = sendElsewhere(running, event, on: connection, of: index, at: now)
    {
      return actions
    }
    let place = Affinity.Place(connection: number, lane: lane)
    return pass(event, running, at: place, index, unreadBytes: unreadBytes, at: now)
  }

  /// Notes what an event says of the running response.
  ///
  /// - Returns: a complaint if the event cannot be of this request. Without lane names, only the
  ///   response's id tells a late event of an earlier response from one of this request; so on a
  ///   server whose responses begin with their id, one that begins without is not believed.
  func note(
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
        let isAnother =
          running.responseID.map { $0 != id && !lane.steering.mayBringAnother } ?? false
        #if HOTLINE_PLANTED_FAULTS
          if PlantedFault.current == .remembersOneResponse, lane.lastResponseID != id, !isAnother {
            running.isAnswered = true
            running.hasResponse = true
            running.responseID = id
            return nil
          }
        #endif
        guard !isAnother, !lane.pastResponseIDs.contains(id) else {
          return "an event of another response came while a request was running"
        }
        running.responseID = id
        running.isBetweenResponses = false
      } else if running.isBetweenResponses || (!running.hasResponse && lane.beginsIdentified) {
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
  mutating func pass(
    _ event: EventFacts, _ running: Lane.Running, at place: Affinity.Place, _ index: Int,
    unreadBytes: Int, at now: MonotonicInstant
  ) -> [Action] {
    let fits = unreadBytes < limits.bufferBytesMax
    // A notice is of the connection: a slow reader misses it, and no more.
    let isWanted = running.filter.wants(event.kind) && (fits || event.kind != .notice)
    var actions: [Action] = []
    var slow: HotlineError?
    if isWanted, !fits {
      slow = slowReaderError(unreadBytes, sent: running.sent)
    } else if isWanted {
      actions.append(.deliver(running.request))
      counters.eventsDelivered += 1
      upstreams[index].pool.connections[place.connection]?.lanes[place.lane].eventDelivered()
    }
    switch event.kind {
    case .progress, .text, .notice, .unusable:
      guard let slow else { return actions }
      return end(running.request, .error, with: slow, at: now)
    case .terminal(let ended):
      remember(running, ended, of: index, at: place, now)
      let giveUpAt = now.advanced(by: upstreams[index].pool.limits.steerTimeout)
      upstreams[index].pool.connections[place.connection]?.lanes[place.lane]
        .responseEnded(event, ended, giveUpAt: giveUpAt)
      return actions
        + endIfSettled(place.lane, of: place.connection, index, with: slow, at: now)
    case .error:
      evictPrevious(of: running.request, index)
      let isItsOwn = !running.hasResponse && !event.isForTheConnectionsSake
      actions += end(
        running.request, .error, with: slow, lane: isItsOwn ? .freed : .spent, at: now)
      guard isItsOwn else {
        return actions + retire(place.connection, of: index, event.reasonToRetire, at: now)
      }
      upstreams[index].pool.proved(place.connection)
      return actions
    }
  }

  private func slowReaderError(_ unreadBytes: Int, sent: HotlineError.Sent) -> HotlineError {
    let reason =
      unreadBytes == Self.unreadBytesOverMemory
      ? "the daemon holds more than socket.memory_max bytes, some of them unread by this client"
      : "\(unreadBytes) bytes wait unread at the client, the limit is socket.buffer_bytes_max"
    return HotlineError(
      .slowReader, reason + "; read faster", origin: .client, sent: sent, isRetryable: true)
  }

  private mutating func remember(
    _ running: Lane.Running, _ outcome: Outcome, of index: Int, at place: Affinity.Place,
    _ now: MonotonicInstant
  ) {
    guard let request = requests[running.request] else { return }
    switch outcome {
    case .completed, .incomplete, .cancelled:
      guard let id = running.responseID else { return }
      let key = Affinity.ResponseKey(uid: request.uid, response: id)
      let isStored = upstreams[index].pool.settings.stores(request.spec)
      upstreams[index].affinity.responseMade(key, at: place, isStored: isStored)
      guard !isStored else { return }
      upstreams[index].pool.connections[place.connection]?.lanes[place.lane]
        .chainAt = now
    case .failed, .error:
      evictPrevious(of: running.request, index)
    }
  }

  /// Forgets the response that a request continued, and that nothing else can continue now.
  private mutating func evictPrevious(of number: RequestNumber, _ index: Int) {
    guard let key = requests[number]?.previousResponseKey else { return }
    if let place = upstreams[index].affinity.origin(of: key)?.place {
      upstreams[index].pool.connections[place.connection]?.lanes[place.lane]
        .chainEnded(key.response)
    }
    upstreams[index].affinity.responseEvicted(key)
  }

  /// The server refused a request unread because of the connection, or of its lane: it goes to
  /// another, once.
  ///
  /// - Returns: nil if it has been sent twice already: the error is passed on.
  private mutating func sendElsewhere(
    _ running: Lane.Running, _ event: EventFacts, on connection: UpstreamConnection, of index: Int,
    at now: MonotonicInstant
  ) -> [Action]? {
    let (request, number) = (running.request, connection.number)
    guard requests[request]?.isResent == false else { return nil }
    let isLaneRefused = connection.isRefusedLane(event)
    let actions = sendAgain(request, sentBefore: .unknown, at: now)
    let closing = retire(number, of: index, .refusedByServer, at: now)
    if !isLaneRefused { countFailure(event, of: connection, index, at: now) }
    // In the order of the decisions: a client is closed after its last line.
    return actions + closing
  }
}

extension UpstreamConnection {
  fileprivate mutating func progressArrived(
    isText: Bool, _ reference: LaneReference, mayWrite: Bool, at now: MonotonicInstant
  ) -> Broker.Progress {
    let lane: Int
    switch reference {
    case .none where !namesLanes: lane = 0
    case .lane(let named) where laneEcho == .present && named < lanes.count: lane = named
    case .none, .lane, .unknown: return .unusual
    }
    guard isOpen, case .busy(var running) = lanes[lane].state, running.hasResponse,
      !running.isBetweenResponses, mayWrite || running.filter == .final
    else { return .unusual }
    let isWanted = running.filter == .all || (isText && running.filter == .text)
    let isFirstText = isText && running.firstTextAt == nil
    guard isWanted || isFirstText else { return .skip }
    if isFirstText { running.firstTextAt = now }
    if isWanted { running.eventsDelivered += 1 }
    lanes[lane].state = .busy(running)
    return isWanted ? .deliver(running.request) : .skip
  }
}

extension Lane {
  /// Keeps what an event said of the response here.
  fileprivate mutating func noted(_ noted: Running, _ event: EventFacts) {
    let before: Running
    switch state {
    case .idle, .warming, .spent:
      return
    case .busy(let running):
      before = running
      state = .busy(noted)
    case .abandoned(let running, let giveUpAt):
      before = running
      state = .abandoned(noted, giveUpAt: giveUpAt)
    }
    if let response = before.responseID, response != noted.responseID {
      ended(response)
      steering.succeeded(response)
    }
    let isFirst = !before.hasResponse && noted.hasResponse
    if isFirst { beginsIdentified = event.responseID != nil }
  }

  fileprivate mutating func eventDelivered() {
    guard case .busy(var running) = state else { return }
    running.eventsDelivered += 1
    state = .busy(running)
  }
}

extension EventFacts {
  /// Why an error that ends more than its request takes the connection out of use.
  var reasonToRetire: CloseReason {
    isForTheConnectionsSake ? .refusedByServer : .errorInResponse
  }
}

extension Lane {
  /// What runs on it, wanted or not.
  var occupant: Running? {
    switch state {
    case .busy(let running), .warming(let running, _), .abandoned(let running, _): running
    case .idle, .spent: nil
    }
  }

  /// The server no longer continues this response, if it did.
  fileprivate mutating func chainEnded(_ response: ByteString) {
    if lastResponseID == response { chainAt = nil }
  }
}
