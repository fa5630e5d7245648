extension Broker {
  /// What contradicts itself in the broker's state; for simulations and tests. Takes time in
  /// proportion to all that is held.
  package func invariantFailures(at now: MonotonicInstant) -> [String] {
    guard phase != .stopped else { return [] }
    var failures: [String] = []
    for (index, upstream) in upstreams.enumerated() {
      failures += countFailures(of: upstream, index)
      for connection in upstream.pool.connections.values {
        failures += laneFailures(of: connection)
      }
      if !upstream.queue.isEmpty, upstream.pool.bestFreeConnection(at: now) != nil {
        failures.append("a request waits while a connection is free")
      }
    }
    for request in requests.values {
      if let failure = failure(of: request) {
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

  private func countFailures(of upstream: Upstream, _ index: Int) -> [String] {
    var failures: [String] = []
    let own = requests.values.filter { $0.spec.upstream.rawValue == index }
    if own.count(where: \.isWaiting) != upstream.waitingCount {
      failures.append("\(upstream.waitingCount) requests are said to wait")
    }
    if own.count(where: { $0.state == .queued }) != upstream.queue.count {
      failures.append("\(upstream.queue.count) requests are said to be queued")
    }
    if Set(upstream.pool.order) != Set(upstream.pool.connections.keys) {
      failures.append("the order of connections is not that of the connections")
    }
    for order in upstream.orders.values {
      guard let current = requests[order.current], current.state != .ordered else {
        failures.append("a conversation waits for a request that has ended")
        continue
      }
    }
    return failures
  }

  private func laneFailures(of connection: UpstreamConnection) -> [String] {
    connection.lanes.compactMap { lane in
      guard let running = lane.running else { return nil }
      let name = "request \(running.request.rawValue)"
      guard connection.isOpen else { return "\(name) runs on a connection that is not open" }
      guard case .running(connection.number, _) = requests[running.request]?.state else {
        return "a lane runs \(name), which does not run there"
      }
      return nil
    }
  }

  private func failure(of request: Request) -> String? {
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
    case .pinned(let connection, _):
      let maker = upstream.pool.connections[connection]
      guard let maker, maker.isOpen, maker.pinned.contains(request.number) else {
        return "waits for a connection that does not know of it"
      }
      return maker.isIdle ? "waits for a connection that is idle" : nil
    case .running(let connection, let lane):
      return running(on: connection, lane: lane, of: request) == nil ? "runs nowhere" : nil
    }
  }
}
