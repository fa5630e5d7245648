import DequeModule

extension Broker {
  /// Ends an open request: its one `.finish`, and what follows from it.
  ///
  /// - Parameter lane: what becomes of the lane that it runs on, if it does.
  mutating func end(
    _ number: RequestNumber, _ outcome: Outcome, with error: HotlineError? = nil,
    usage: ByteString? = nil, lane fate: LaneFate = .unwanted, at now: MonotonicInstant
  ) -> [Action] {
    guard let request = requests.removeValue(forKey: number) else { return [] }
    let index = request.spec.upstream.rawValue
    deadlines.cancel(number)
    clients[request.client]?.open[request.id] = nil
    var completion = Completion(
      outcome: outcome, upstream: request.spec.upstream, connection: request.connection,
      isReused: request.isReused, isResent: request.isResent, usage: usage,
      queued: request.arrivedAt.duration(to: request.assignedAt ?? now),
      total: request.arrivedAt.duration(to: now), events: request.eventsBefore)
    var laneActions: [Action] = []
    switch request.state {
    case .queued:
      upstreams[index].queue.remove(number)
      upstreams[index].waitingCount -= 1
    case .pinned(let connection, _):
      unpin(number, from: connection, of: index)
      upstreams[index].waitingCount -= 1
    case .ordered:
      leaveOrder(request)
      upstreams[index].waitingCount -= 1
    case .running(let connection, let lane):
      if let running = running(on: connection, lane: lane, of: request) {
        completion.add(running, arrivedAt: request.arrivedAt)
        laneActions = leave(lane, of: connection, index, running, fate, at: now)
      }
    }
    count(outcome, error)
    var actions: [Action] = [.finish(number, error, completion)]
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .saysTheLastLineTwice, outcome == .cancelled {
        actions += actions
      }
    #endif
    actions += laneActions
    actions += closeIfDone(request.client)
    advanceOrder(after: request)
    return actions
  }

  /// What becomes of a lane when the request on it ends.
  enum LaneFate {
    /// The response has ended: the lane is free.
    case freed
    /// The response goes on, but nobody wants it.
    case unwanted
    /// The connection is being closed by the caller.
    case lost
  }

  private mutating func leave(
    _ lane: Int, of connection: ConnectionNumber, _ index: Int, _ running: Lane.Running,
    _ fate: LaneFate, at now: MonotonicInstant
  ) -> [Action] {
    switch fate {
    case .freed:
      upstreams[index].pool.connections[connection]?.laneFreed(lane, running, at: now)
      return []
    case .lost:
      upstreams[index].pool.connections[connection]?.lanes[lane].state = .idle
      return []
    case .unwanted:
      break
    }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .reusesALaneBeforeTheTerminalEvent {
        upstreams[index].pool.connections[connection]?.lanes[lane].state = .idle
        return []
      }
    #endif
    if upstreams[index].pool.limits.lanes == 1, upstreams[index].pool.dropAllowed(at: now) {
      counters.responsesDropped += 1
      upstreams[index].pool.connections[connection]?.lanes[lane].state = .idle
      return close(connection, of: index, .abandoned, at: now)
    }
    counters.responsesDrained += 1
    let giveUpAt = now.advanced(by: upstreams[index].pool.limits.abandonedTimeout)
    upstreams[index].pool.connections[connection]?.lanes[lane].state =
      .abandoned(running, giveUpAt: giveUpAt)
    return []
  }

  /// Closes a connection on which nothing wanted runs, and finds other ways for what waits for it.
  mutating func close(
    _ connection: ConnectionNumber, of index: Int, _ reason: CloseReason, at now: MonotonicInstant
  ) -> [Action] {
    counters.connectionsClosed[reason, default: 0] += 1
    let action = upstreams[index].pool.close(connection, reason)
    return [action] + orphanPinned(of: connection, index, at: now)
  }

  /// Requests that wait for a connection that is gone: lost, or content with another one.
  mutating func orphanPinned(
    of connection: ConnectionNumber, _ index: Int, at now: MonotonicInstant
  ) -> [Action] {
    guard let pinned = upstreams[index].pool.connections[connection]?.pinned else { return [] }
    upstreams[index].pool.connections[connection]?.pinned = []
    return pinned.flatMap { number -> [Action] in
      guard let request = requests[number],
        case .pinned(to: connection, let until) = request.state
      else { return [] }
      guard until == nil else {
        enqueue(number)
        return []
      }
      return end(number, .error, with: conversationLostError(of: request), at: now)
    }
  }

  private mutating func count(_ outcome: Outcome, _ error: HotlineError?) {
    counters.requestsEnded[outcome, default: 0] += 1
    if let error { counters.errorsByCode[error.code, default: 0] += 1 }
  }

  // MARK: What is known of a request

  func running(
    on connection: ConnectionNumber, lane: Int, of request: Request
  ) -> Lane.Running? {
    let pool = upstreams[request.spec.upstream.rawValue].pool
    guard let running = pool.connections[connection]?.lanes[lane].running,
      running.request == request.number
    else { return nil }
    return running
  }

  mutating func mutateRunning(
    on connection: ConnectionNumber, lane: Int, of request: Request,
    _ change: (inout Lane.Running) -> Void
  ) {
    let index = request.spec.upstream.rawValue
    guard var running = running(on: connection, lane: lane, of: request) else { return }
    change(&running)
    upstreams[index].pool.connections[connection]?.lanes[lane].state = .busy(running)
  }

  /// How much of a request may have reached the server, over all attempts.
  func sent(of request: Request) -> HotlineError.Sent {
    guard case .running(let connection, let lane) = request.state,
      let running = running(on: connection, lane: lane, of: request)
    else { return request.sentBefore }
    return max(running.sent, request.sentBefore)
  }
}

extension Lane.Running {
  var sent: HotlineError.Sent { isAnswered ? .yes : isHandedOver ? .unknown : .no }
}

extension Completion {
  fileprivate mutating func add(_ running: Lane.Running, arrivedAt: MonotonicInstant) {
    responseID = running.responseID
    firstEvent = running.firstEventAt.map { arrivedAt.duration(to: $0) }
    firstText = running.firstTextAt.map { arrivedAt.duration(to: $0) }
    events += running.eventsDelivered
  }
}

extension UpstreamConnection {
  /// The response on a lane has ended by its terminal event.
  mutating func laneFreed(_ lane: Int, _ running: Lane.Running, at now: MonotonicInstant) {
    lanes[lane].freed(by: running.responseID, at: now)
    responsesServed += 1
    lastActiveAt = now
  }
}
