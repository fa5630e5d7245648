import HotlineCore
import HotlineSystem
import HotlineTLS
import HotlineTransport
import HotlineWire

/// `hotline.status`: everything that is going on, in one line.
struct StatusLine {
  private let snapshot: Snapshot
  private let echo: [UInt8]?
  private let daemon: DaemonLoop
  private let now: MonotonicInstant
  /// Clients that the asker may see, also those that have left requests behind.
  private let clients: [ClientHandler]
  /// The oldest open requests of all clients together.
  private let requests: [ClientNumber: [RequestRecord]]

  /// - Parameter uid: who asks: root and the owner see all, others their own clients.
  init(_ daemon: DaemonLoop, echo: [UInt8]?, for uid: UInt32, at now: MonotonicInstant) {
    snapshot = daemon.broker.snapshot(at: now)
    self.daemon = daemon
    self.echo = echo
    self.now = now
    let oldest = daemon.requests.values.sorted { $0.number < $1.number }.prefix(Self.requestsMax)
    requests = Dictionary(grouping: oldest, by: \.client.number)
    let left = requests.filter { daemon.clients[$0.key] == nil }.compactMap { $1.first?.client }
    let seesAll = daemon.seesAll(uid)
    clients = (daemon.clients.values + left).filter { seesAll || $0.uid == uid }
      .sorted { $0.number < $1.number }
  }

  func append(to bytes: inout [UInt8]) {
    var line = JSONWriter()
    swap(&line.bytes, &bytes)
    line.beginObject()
    line.member("type", "hotline.status")
    if let echo { line.member("request_id", spelling: echo) }
    line.member("protocol", 1)
    line.member("version", hotlineVersion)
    line.member("pid", ownProcessID)
    line.member("uptime_s", daemon.startedAt.duration(to: now).components.seconds)
    line.member("state", snapshot.isDraining ? "draining" : "running")
    appendUpstreams(&line)
    appendQueue(&line)
    appendClients(&line)
    line.member("memory_bytes", daemon.ledger.bytes)
    line.endObject()
    line.endLine()
    swap(&line.bytes, &bytes)
  }

  private func appendUpstreams(_ line: inout JSONWriter) {
    line.name("upstreams")
    line.beginArray()
    for upstream in snapshot.upstreams where isShown(upstream) {
      let runtime = daemon.upstreams[upstream.index.rawValue]
      let configuration = runtime.configuration
      line.beginObject()
      line.member("name", configuration.name)
      line.member("url", configuration.endpoint.displayed)
      line.member("proxy", configuration.proxy?.description)
      line.member("default", upstream.index == daemon.defaultUpstream)
      line.member("state", upstream.state.rawValue)
      line.member("last_error", upstream.lastFailure?.detail)
      appendHandshakes(runtime.endpoint.tls?.handshakes, to: &line)
      let saved = upstream.connections.map { daemon.links[$0.number]?.handler?.bytesSaved ?? 0 }
      line.member("saved_bytes", saved.reduce(runtime.bytesSaved, +))
      line.member("waiting", upstream.waiting)
      append(upstream.rateLimits, to: &line)
      line.member("lane_names", upstream.laneNames.rawValue)
      line.member("warm_up", upstream.warmUps.state.rawValue)
      line.member("warm_ups_sent", upstream.warmUps.sent)
      line.member("warm_ups_failed", upstream.warmUps.failed)
      line.member("connections_warm", configuration.limits.connectionsWarm)
      line.member("connections_max", configuration.limits.connectionsMax)
      line.name("connections")
      line.beginArray()
      for connection in upstream.connections { append(connection, to: &line) }
      line.endArray()
      line.endObject()
    }
    line.endArray()
  }

  private func append(_ limits: [RateLimit], to line: inout JSONWriter) {
    line.name("rate_limits")
    line.beginArray()
    for limit in limits {
      line.beginObject()
      line.member("name", limit.name)
      line.member("limit", limit.limit)
      line.member("remaining", limit.remaining)
      line.name("used_percent")
      if let percent = limit.usedPercent {
        line.decimal(percent, decimalsMax: 1)
      } else {
        line.null()
      }
      line.member("reset_s", limit.resetsAfter?.components.seconds)
      line.endObject()
    }
    line.endArray()
  }

  /// `null` for plain `ws`.
  private func appendHandshakes(_ counts: TLSHandshakeCounts?, to line: inout JSONWriter) {
    line.name("tls")
    guard let counts else { return line.null() }
    line.beginObject()
    line.member("handshakes", counts.all)
    line.member("resumed", counts.resumed)
    line.endObject()
  }

  /// One that a reload has removed is shown while something of it goes on.
  private func isShown(_ upstream: Snapshot.Upstream) -> Bool {
    let isRemoved = daemon.upstreams[upstream.index.rawValue].isRemoved
    return !isRemoved || !upstream.connections.isEmpty || upstream.waiting > 0
  }

  private func append(_ connection: Snapshot.Connection, to line: inout JSONWriter) {
    let link = daemon.links[connection.number]
    let facts = link?.facts
    line.beginObject()
    line.member("number", connection.number.rawValue)
    line.member("state", connection.state.rawValue)
    line.member("age_s", connection.age.components.seconds)
    line.member("idle_s", connection.idle?.components.seconds)
    line.member("rtt_ms", connection.roundTrip)
    line.member("requests", connection.responsesServed)
    line.member("lanes", connection.lanes)
    line.member("lanes_busy", connection.lanesBusy)
    line.member("tls_version", facts?.tlsVersion)
    line.member("tls_resumed", facts?.isTLSResumed)
    line.name("headers")
    line.beginObject()
    for header in facts?.headers ?? [] {
      line.name(text: header.name)
      line.string(header.value)
    }
    line.endObject()
    line.member("deflate", facts.map { $0.deflate != nil })
    line.member("saved_bytes", link?.handler?.bytesSaved)
    line.endObject()
  }

  private func appendQueue(_ line: inout JSONWriter) {
    line.name("queue")
    line.beginObject()
    line.member("waiting", snapshot.upstreams.reduce(0) { $0 + $1.waiting })
    line.member("max", daemon.limits.queueRequestsMax)
    line.endObject()
  }

  /// Open requests that are listed, the oldest of all clients together.
  private static let requestsMax = 4096

  private func append(_ record: RequestRecord, to line: inout JSONWriter) {
    let link = record.connection.flatMap { daemon.links[$0] }
    let isRunning = link?.holds(record) == true
    line.beginObject()
    line.member("request_id", spelling: record.idSpelling)
    line.member("state", isRunning ? "running" : "waiting")
    line.member("age_s", record.arrivedAt.duration(to: now).components.seconds)
    line.member("upstream", daemon.upstreams[record.upstream.rawValue].configuration.name)
    line.member("connection", isRunning ? record.connection?.rawValue : nil)
    line.member("model", record.model)
    line.member("tag", record.tag)
    line.endObject()
  }

  private func appendClients(_ line: inout JSONWriter) {
    line.name("clients")
    line.beginArray()
    for client in clients {
      let own = requests[client.number] ?? []
      line.beginObject()
      line.member("number", client.number.rawValue)
      line.member("pid", client.processID)
      line.member("uid", client.uid)
      line.member("command", daemon.commandName(of: client))
      line.member("hung_up", daemon.clients[client.number] == nil)
      line.member("open_requests", snapshot.openRequests[client.number] ?? own.count)
      line.member("unread_bytes", client.unreadBytes)
      line.name("requests")
      line.beginArray()
      for record in own { append(record, to: &line) }
      line.endArray()
      line.endObject()
    }
    line.endArray()
  }
}
