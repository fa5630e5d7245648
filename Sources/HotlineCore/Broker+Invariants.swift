import DequeModule

extension Broker {
  /// What contradicts itself in the broker's state; for simulations and tests. Takes time in
  /// proportion to all that is held.
  package func invariantFailures(at now: MonotonicInstant) -> [String] {
    guard phase != .stopped else { return [] }
    var failures: [String] = []
    for (index, upstream) in upstreams.enumerated() {
      failures += countFailures(of: upstream, index)
      for connection in upstream.pool.connections.all {
        failures += laneFailures(of: connection)
      }
      // Or its timer is on its way.
      guard holdEnd(index) == nil else { continue }
      if upstream.queue.hasNew, upstream.pool.bestFreeConnection(at: now) != nil {
        failures.append("a request waits while a connection is free")
      }
      for number in upstream.queue.returned {
        let lostAt = requests[number]?.lostAt
        guard upstream.pool.bestFreeLane(at: now, heardSince: lostAt) != nil else { continue }
        failures.append("a request that came back waits while a connection is free")
      }
    }
    for request in requests.values {
      if let failure = failure(of: request, at: now) {
        failures.append("request \(request.number.rawValue) \(failure)")
      }
    }
    for client in clients.values {
      for number in client.open.values where requests[number] == nil {
        failures.append("a client waits for request \(number.rawValue), which has ended")
      }
    }
    return failures
  }

  /// Where an open request waits or runs, for simulations: no action tells of a failover.
  package func upstream(of request: RequestNumber) -> UpstreamIndex? {
    requests[request]?.spec.upstream
  }

  private func countFailures(of upstream: Upstream, _ index: Int) -> [String] {
    var failures: [String] = []
    let own = requests.values.filter { $0.spec.upstream.rawValue == index }
    if own.count(where: \.isWaiting) != upstream.waitingCount {
      failures.append("\(upstream.waitingCount) requests are said to wait")
    }
    if own.count(where: { $0.state == .queued }) != upstream.queue.count {
      failures.append("\(upstream.queue.count) requests are said to be queued")
    }
    if own.count(where: \.isAttached) != upstream.attachedCount {
      failures.append("\(upstream.attachedCount) requests are said to wait for a connection")
    }
    if !upstream.patient.isEmpty, !upstream.queue.isEmpty {
      failures.append("a habit is waited for while others wait for any connection")
    }
    failures += tableFailures(of: upstream.pool.connections)
    for order in upstream.orders.values {
      guard let current = requests[order.current], current.state != .ordered else {
        failures.append("a conversation waits for a request that has ended")
        continue
      }
    }
    return failures
  }

  private func tableFailures(of table: ConnectionTable) -> [String] {
    let all = Array(table.all)
    let counts = [
      all.count { $0.state == .dialing }, all.count(where: \.isReady), all.count(where: \.isOpen),
      all.count,
    ]
    guard counts != [table.dialingCount, table.readyCount, table.openCount, table.count] else {
      return []
    }
    return ["the counts of connections are not those of the connections"]
  }

  private func laneFailures(of connection: UpstreamConnection) -> [String] {
    if connection.laneEcho != .present, connection.lanes.count(where: { !$0.isQuiet }) > 1 {
      return ["several responses on a connection that names no lanes"]
    }
    return connection.lanes.compactMap { lane in
      guard let running = lane.running else { return nil }
      let name = "request \(running.request.rawValue)"
      guard connection.isOpen else { return "\(name) runs on a connection that is not open" }
      guard case .running(connection.number, _) = requests[running.request]?.state else {
        return "a lane runs \(name), which does not run there"
      }
      return nil
    }
  }

  private func failure(of request: Request, at now: MonotonicInstant) -> String? {
    guard let due = deadlines.nextDeadline, due <= request.nextDeadline else {
      return "has no deadline"
    }
    if let client = clients[request.client], client.open[request.id] != request.number {
      return "is unknown to its client"
    }
    let upstream = upstreams[request.spec.upstream.rawValue]
    switch request.state {
    case .queued: return nil
    case .ordered:
      let order = request.conversationKey.flatMap { upstream.orders[$0] }
      return order?.followers.contains(request.number) == true ? nil : "waits for no order"
    case .bound(let number, let lane):
      let maker = upstream.pool.connections[number]
      guard let maker, maker.continues(on: lane), maker.lanes[lane].bound.contains(request.number)
      else { return "waits for a lane that does not know of it" }
      let mayWait =
        !maker.canContinue(on: lane) || holdEnd(request.spec.upstream.rawValue) != nil
      return mayWait ? nil : "waits for a lane that is idle"
    case .pinned(let number, _):
      let preferred = upstream.pool.connections[number]
      guard let preferred, preferred.isReady, preferred.pinned.contains(request.number) else {
        return "waits for a connection that does not know of it"
      }
      let mayWait =
        preferred.freeLane == nil || holdEnd(request.spec.upstream.rawValue) != nil
        || (preferred.hasServedPinned && !upstream.queue.isEmpty)
      return mayWait ? nil : "waits for a connection that is free"
    case .running(let connection, let lane):
      return running(on: connection, lane: lane, of: request) == nil ? "runs nowhere" : nil
    }
  }
}

extension Request {
  fileprivate var isAttached: Bool {
    switch state {
    case .bound, .pinned: true
    case .queued, .ordered, .running: false
    }
  }
}
