import DequeModule

extension Broker {
  // MARK: Where a request waits

  /// Lets a new request wait where it belongs: behind its conversation, for one connection, or in
  /// the queue.
  mutating func line(up number: RequestNumber, at now: MonotonicInstant) -> [Action] {
    guard let request = requests[number] else { return [] }
    let index = request.spec.upstream.rawValue
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .ignoresTheOrderOfAConversation { return place(number, at: now) }
    #endif
    if let key = request.conversationKey {
      if upstreams[index].orders[key] != nil {
        upstreams[index].orders[key]?.followers.append(number)
        requests[number]?.state = .ordered
        reschedule(number)
        return []
      }
      upstreams[index].orders[key] = Upstream.Order(current: number)
    }
    return place(number, at: now)
  }

  /// Where a request waits that waits for no other request.
  private enum Destination {
    /// The only connection that could serve it is gone.
    case lost
    /// One connection, for that long; without a patience, until it is gone.
    case connection(ConnectionNumber, patience: Duration?)
    case queue
  }

  private func destination(
    of spec: NewRequest, uid: UInt32, at now: MonotonicInstant
  ) -> Destination {
    let upstream = upstreams[spec.upstream.rawValue]
    let pool = upstream.pool
    if let key = spec.previousResponseKey(of: uid) {
      let maker = upstream.affinity.connection(ofResponse: key)
      let isThere = maker.flatMap { pool.connections[$0]?.isOpen } ?? false
      switch (pool.settings.continuation, maker) {
      case (.connection, .some(let maker)) where isThere:
        return .connection(maker, patience: nil)
      case (.connection, _):
        return .lost
      case (.anywhere, .some(let maker)) where isThere:
        return .connection(maker, patience: pool.limits.patience)
      case (.anywhere, _):
        break
      }
    }
    guard let key = spec.conversationKey(of: uid),
      let number = upstream.affinity.connection(ofConversation: key),
      let connection = pool.connections[number], connection.isReady,
      now < connection.marginAt(pool.limits)
    else { return .queue }
    return .connection(number, patience: pool.limits.patience)
  }

  /// Whether a request, accepted now, would not be sent or ended at once.
  func wouldWait(_ spec: NewRequest, uid: UInt32, at now: MonotonicInstant) -> Bool {
    let upstream = upstreams[spec.upstream.rawValue]
    guard upstream.pool.refusal == nil else { return false }
    if let key = spec.conversationKey(of: uid), upstream.orders[key] != nil { return true }
    switch destination(of: spec, uid: uid, at: now) {
    case .lost: return false
    case .connection(let number, _):
      return upstream.pool.connections[number]?.openFreeLane == nil
    case .queue: return upstream.pool.bestFreeConnection(at: now) == nil
    }
  }

  /// Lets a request whose turn in its conversation has come wait for a connection.
  private mutating func place(_ number: RequestNumber, at now: MonotonicInstant) -> [Action] {
    guard let request = requests[number] else { return [] }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .continuesOnAnyConnection {
        enqueue(number)
        return []
      }
    #endif
    switch destination(of: request.spec, uid: request.uid, at: now) {
    case .lost:
      return end(number, .error, with: conversationLostError(of: request), at: now)
    case .connection(let connection, let patience):
      pin(number, to: connection, until: patience.map { now.advanced(by: $0) })
    case .queue:
      enqueue(number)
    }
    return []
  }

  private mutating func pin(
    _ number: RequestNumber, to connection: ConnectionNumber, until: MonotonicInstant?
  ) {
    guard let request = requests[number] else { return }
    requests[number]?.state = .pinned(to: connection, until: until)
    upstreams[request.spec.upstream.rawValue].pool.connections[connection]?.pinned.append(number)
    reschedule(number)
  }

  /// Takes a request out of a connection's line. Linear in the line, which `queueRequestsMax`
  /// bounds; a line that kept what left would grow for as long as the response before it runs.
  mutating func unpin(_ number: RequestNumber, from connection: ConnectionNumber, of index: Int) {
    upstreams[index].pool.connections[connection]?.pinned.removeAll { $0 == number }
  }

  /// Lets a request wait for any connection.
  mutating func enqueue(_ number: RequestNumber, atFront: Bool = false) {
    guard let request = requests[number] else { return }
    requests[number]?.state = .queued
    upstreams[request.spec.upstream.rawValue].queue.add(
      number, of: request.client, priority: request.spec.priority, atFront: atFront)
    reschedule(number)
  }

  private mutating func reschedule(_ number: RequestNumber) {
    guard let next = requests[number]?.nextDeadline else { return }
    deadlines.schedule(number, at: next)
  }

  func conversationLostError(
    of request: Request, sent: HotlineError.Sent = .no
  ) -> HotlineError {
    HotlineError(
      .conversationLost,
      "the connection that could continue previous_response_id is gone; "
        + "send the conversation again in full",
      sent: max(sent, request.sentBefore), param: "previous_response_id")
  }

  /// Takes a request that ended before its turn out of its conversation.
  mutating func leaveOrder(_ request: Request) {
    guard let key = request.conversationKey else { return }
    let index = request.spec.upstream.rawValue
    upstreams[index].orders[key]?.followers.removeAll { $0 == request.number }
  }

  /// The next request of a conversation may go when the one before has ended.
  ///
  /// It is placed later, by ``placeReleased(_:at:)``: placing may end it, which releases the next,
  /// and a conversation may be as long as the queue.
  mutating func advanceOrder(after request: Request) {
    guard let key = request.conversationKey else { return }
    let index = request.spec.upstream.rawValue
    // A follower that gave up changes nothing.
    guard upstreams[index].orders[key]?.current == request.number else { return }
    guard let next = upstreams[index].orders[key]?.followers.popFirst() else {
      upstreams[index].orders[key] = nil
      return
    }
    upstreams[index].orders[key]?.current = next
    upstreams[index].released.append(next)
  }

  /// Places the requests whose turn has come, those too whose turn comes by that.
  mutating func placeReleased(_ index: Int, at now: MonotonicInstant) -> [Action] {
    var actions: [Action] = []
    while let number = upstreams[index].released.popFirst() {
      actions += place(number, at: now)
    }
    return actions
  }

  // MARK: Giving out lanes

  /// Puts waiting requests on free lanes, those first that need just that connection.
  mutating func dispatch(_ index: Int, at now: MonotonicInstant) -> [Action] {
    var actions: [Action] = []
    for number in upstreams[index].pool.order {
      while let lane = upstreams[index].pool.connections[number]?.openFreeLane,
        let request = popPinned(from: number, of: index)
      {
        actions.append(assign(request, to: number, lane: lane, of: index, at: now))
      }
    }
    while !upstreams[index].queue.isEmpty,
      let number = upstreams[index].pool.bestFreeConnection(at: now),
      let lane = upstreams[index].pool.connections[number]?.openFreeLane,
      let request = upstreams[index].queue.popFirst()
    {
      actions.append(assign(request, to: number, lane: lane, of: index, at: now))
    }
    return actions
  }

  private mutating func popPinned(
    from connection: ConnectionNumber, of index: Int
  ) -> RequestNumber? {
    while let number = upstreams[index].pool.connections[connection]?.pinned.popFirst() {
      if case .pinned(to: connection, _) = requests[number]?.state { return number }
    }
    return nil
  }

  private mutating func assign(
    _ number: RequestNumber, to connection: ConnectionNumber, lane: Int, of index: Int,
    at now: MonotonicInstant
  ) -> Action {
    guard var request = requests[number],
      let openedAt = upstreams[index].pool.connections[connection]?.openedAt
    else { preconditionFailure("a lane was given to a request or on a connection that is gone") }
    request.state = .running(on: connection, lane: lane)
    request.assignedAt = now
    request.connection = connection
    request.isReused = openedAt <= request.arrivedAt
    if request.sentBefore != .no, !request.isResent {
      request.isResent = true
      counters.requestsResent += 1
    }
    requests[number] = request
    upstreams[index].waitingCount -= 1
    upstreams[index].pool.connections[connection]?.lanes[lane].state = .busy(
      Lane.Running(request: number, client: request.client, filter: request.spec.events))
    if let key = request.conversationKey {
      upstreams[index].affinity.conversationServed(key, on: connection)
    }
    deadlines.schedule(number, at: request.nextDeadline)
    return .send(number, on: connection, lane: lane)
  }

  /// Fails everything that waits for an upstream where waiting will not help.
  mutating func failHopeless(_ index: Int, at now: MonotonicInstant) -> [Action] {
    guard upstreams[index].waitingCount > 0, let error = upstreams[index].pool.refusal else {
      return []
    }
    let waiting = requests.values.filter {
      $0.spec.upstream.rawValue == index && $0.isWaiting
    }
    return waiting.map(\.number).sorted().flatMap { number in
      guard let request = requests[number] else { return [Action]() }
      var error = error
      error.sent = max(error.sent, request.sentBefore)
      return end(number, .error, with: error, at: now)
    }
  }
}

extension UpstreamConnection {
  /// A lane for a request that needs just this connection.
  var openFreeLane: Int? { isOpen ? freeLane : nil }
}

extension HotlineError.Sent: Comparable {
  private var rank: Int {
    switch self {
    case .no: 0
    case .unknown: 1
    case .yes: 2
    }
  }

  /// Ordered by how much the server may know.
  package static func < (lhs: Self, rhs: Self) -> Bool { lhs.rank < rhs.rank }
}
