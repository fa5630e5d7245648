/// `hotline.status` as a page for people, at most 80 columns wide; a member that the daemon does
/// not give is a dash.
///
/// States have the names that they have in the line. What may be long is last in its row.
struct StatusReport {
  static let columns = 80

  private let status: JSONView
  private let style: TextStyle

  init(_ status: JSONView, _ style: TextStyle = .plain) {
    self.status = status
    self.style = style
  }

  var text: String {
    let upstreams = status["upstreams"]?.elements ?? []
    let parts =
      [summary] + upstreams.flatMap { UpstreamReport($0, style).parts } + [clientTable]
    return parts.filter { !$0.isEmpty }.joined(separator: "\n")
  }

  private var summary: String {
    var parts = ["hotlined \(words(status["version"]))", "pid \(integer(status["pid"]))"]
    if status["state"] != nil { parts.append(words(status["state"])) }
    if let uptime = status["uptime_s"]?.number { parts.append("up \(Quantity.seconds(uptime))") }
    var lines = [parts.joined(separator: ", ")]
    if let queue = status["queue"] {
      lines.append(
        "\(integer(queue["waiting"])) of at most \(integer(queue["max"])) requests waiting")
    }
    if let bytes = status["memory_bytes"]?.number {
      lines.append("\(Quantity.bytes(bytes)) of lines and events held")
    }
    return lines.flatMap { TextList.broken($0, columns: Self.columns) }.map { $0 + "\n" }.joined()
  }

  private var clientTable: String {
    var table = TextTable(header: ["CLIENT", "PID", "UID", "REQUESTS", "UNREAD", "COMMAND"])
    for client in status["clients"]?.elements ?? [] {
      table.append([
        integer(client["number"]), integer(client["pid"]), integer(client["uid"]),
        integer(client["open_requests"]),
        client["unread_bytes"]?.number.map { Quantity.bytes($0) } ?? "-",
        words(client["command"]) + (client["hung_up"]?.boolean == true ? " (left)" : ""),
      ])
    }
    return table.isEmpty ? "" : table.text(columns: Self.columns, style)
  }
}

/// One of its upstreams.
struct UpstreamReport {
  private let upstream: JSONView
  private let connections: [JSONView]
  private let style: TextStyle

  init(_ upstream: JSONView, _ style: TextStyle) {
    self.upstream = upstream
    self.style = style
    connections = upstream["connections"]?.elements ?? []
  }

  var parts: [String] { [heading + facts, connectionTable, headers] }

  private var heading: String {
    words(upstream["name"]) + (upstream["default"]?.boolean == true ? " (default)" : "") + "\n"
  }

  private var state: (String, TextStyle.Emphasis?) {
    let state = words(upstream["state"])
    switch state {
    case "ok": return (state, .good)
    case "failing": return (state, .bad)
    case "-": return (state, nil)
    default: return (state, .doubtful)
    }
  }

  private var facts: String {
    var list = TextList(indent: 2)
    list.append("state", state.0, state.1)
    list.append("url", words(upstream["url"]))
    list.append("proxy", upstream["proxy"]?.string)
    list.append(
      "connections",
      "\(connections.count) of at most \(integer(upstream["connections_max"])), "
        + "\(integer(upstream["connections_warm"])) kept warm")
    list.append("requests", "\(integer(upstream["waiting"])) waiting")
    list.append("TLS", upstream["tls"].map(handshakes))
    list.append("compression", upstream["saved_bytes"]?.number.flatMap(saved))
    list.append("lanes", upstream["lane_names"]?.string.flatMap(lanes))
    list.append("warm-ups", warmUps)
    for limit in upstream["rate_limits"]?.elements ?? [] {
      list.append("rate limit", rateLimit(limit))
    }
    list.append("last error", upstream["last_error"]?.string)
    return list.text(columns: StatusReport.columns, style)
  }

  private func rateLimit(_ limit: JSONView) -> String {
    var parts: [String] = []
    if let remaining = limit["remaining"]?.integer {
      parts.append("\(remaining)" + (limit["limit"]?.integer.map { " of \($0)" } ?? "") + " left")
    }
    if let percent = limit["used_percent"]?.number {
      parts.append("\(Quantity.fixed(percent, decimals: 0)) % used")
    }
    if let seconds = limit["reset_s"]?.number {
      parts.append("whole again in \(Quantity.shortSeconds(seconds))")
    }
    return words(limit["name"]) + ": " + parts.joined(separator: ", ")
  }

  /// Nothing where none are asked for, and before the first response.
  private func lanes(_ names: String) -> String? {
    switch names {
    case "echoed": "named by the server"
    case "absent": "not known to the server: one response at a time on a connection"
    default: nil
    }
  }

  /// Nothing where none are wanted.
  private var warmUps: String? {
    guard let state = upstream["warm_up"]?.string, state != "off" else { return nil }
    let counts =
      "\(integer(upstream["warm_ups_sent"])) sent, \(integer(upstream["warm_ups_failed"])) failed"
    return state == "refused" ? counts + "; refused: no more until a reload" : counts
  }

  /// Nothing where none is at work; messages that do not compress cost some bytes.
  private func saved(_ bytes: Double) -> String? {
    guard bytes != 0 else { return nil }
    return Quantity.bytes(abs(bytes)) + (bytes > 0 ? " saved" : " lost")
  }

  private func handshakes(_ tls: JSONView) -> String {
    let text =
      "\(integer(tls["handshakes"])) handshakes, \(integer(tls["resumed"])) of them resumed"
    guard let all = tls["handshakes"]?.number, all > 0, let resumed = tls["resumed"]?.number else {
      return text
    }
    return text + " (\(Quantity.fixed(100 * resumed / all, decimals: 0)) %)"
  }

  private var connectionTable: String {
    var table = TextTable(
      indent: 2,
      header: ["CONNECTION", "STATE", "AGE", "IDLE", "RTT", "REQUESTS", "LANES", "TLS"])
    for connection in connections {
      let isResumed = connection["tls_resumed"]?.boolean == true
      let tls = version(connection["tls_version"]) + (isResumed ? " resumed" : "")
      table.append(Self.cells(connection) + [tls])
    }
    return table.isEmpty ? "" : table.text(columns: StatusReport.columns, style)
  }

  /// Its number, state, age, time without a request, round-trip time, requests and lanes.
  static func cells(_ connection: JSONView) -> [String] {
    func age(_ view: JSONView?) -> String {
      view?.number.map { Quantity.shortSeconds($0) } ?? "-"
    }
    return [
      integer(connection["number"]), words(connection["state"]), age(connection["age_s"]),
      age(connection["idle_s"]),
      connection["rtt_ms"]?.number.map { Quantity.milliseconds($0) } ?? "-",
      integer(connection["requests"]),
      "\(integer(connection["lanes_busy"]))/\(integer(connection["lanes"]))",
    ]
  }

  /// Those of the newest connection that has some: they tell of the account, and the newest is the
  /// last to have been told.
  private var headers: String {
    let newest = connections.filter { $0["headers"]?.members.isEmpty == false }
      .max { $0["number"]?.integer ?? 0 < $1["number"]?.integer ?? 0 }
    guard let newest, let members = newest["headers"]?.members else { return "" }
    var list = TextList(indent: 4)
    for (name, value) in members { list.append(name + ":", words(value)) }
    return "  headers that came with connection \(integer(newest["number"])):\n"
      + list.text(columns: StatusReport.columns, style)
  }

  /// `1.3` of `TLSv1.3`: the column says the rest.
  private func version(_ view: JSONView?) -> String {
    let version = words(view)
    return version.hasPrefix("TLSv") ? String(version.dropFirst(4)) : version
  }
}

/// A string made fit for the page.
func words(_ view: JSONView?) -> String {
  view?.string.map { PrintableText.line($0) }.flatMap { $0.isEmpty ? nil : $0 } ?? "-"
}

func integer(_ view: JSONView?) -> String { view?.integer.map { String($0) } ?? "-" }
