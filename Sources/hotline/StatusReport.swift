/// `hotline.status` as a page for people; a member that the daemon does not give is a dash.
struct StatusReport {
  private let status: JSONView
  private let upstreams: [JSONView]

  init(_ status: JSONView) {
    self.status = status
    upstreams = status["upstreams"]?.elements ?? []
  }

  var text: String {
    let parts = [summary, upstreamTable, failures, connectionTable, clientTable]
    return parts.filter { !$0.isEmpty }.joined(separator: "\n")
  }

  private var summary: String {
    var parts = ["hotlined \(text(status["version"]))", "pid \(integer(status["pid"]))"]
    if let state = status["state"]?.string { parts.append(state) }
    if let uptime = status["uptime_s"]?.number { parts.append("up \(Quantity.seconds(uptime))") }
    if let bytes = status["memory_bytes"]?.number {
      parts.append("\(Quantity.bytes(bytes)) of lines and events held")
    }
    let queue = status["queue"].map {
      "\n\(integer($0["waiting"])) of at most \(integer($0["max"])) requests waiting"
    }
    return PrintableText.line(parts.joined(separator: ", ")) + (queue ?? "") + "\n"
  }

  private var upstreamTable: String {
    var table = TextTable(header: ["UPSTREAM", "STATE", "WARM", "CONNECTIONS", "WAITING", "URL"])
    for upstream in upstreams {
      let mark = upstream["default"]?.boolean == true ? " (default)" : ""
      let count = upstream["connections"]?.elements.count ?? 0
      table.append([
        text(upstream["name"]) + mark, text(upstream["state"]),
        integer(upstream["connections_warm"]),
        "\(count) of \(integer(upstream["connections_max"]))", integer(upstream["waiting"]),
        text(upstream["url"]),
      ])
    }
    return table.isEmpty ? "" : table.text
  }

  private var failures: String {
    let lines = upstreams.compactMap { upstream in
      upstream["last_error"]?.string.map {
        PrintableText.line("last error of \(text(upstream["name"])): \($0)") + "\n"
      }
    }
    return lines.joined()
  }

  private var connectionTable: String {
    var table = TextTable(header: [
      "CONNECTION", "UPSTREAM", "STATE", "AGE", "IDLE", "RTT", "REQUESTS", "LANES", "TLS",
    ])
    for upstream in upstreams {
      for connection in upstream["connections"]?.elements ?? [] {
        table.append([
          integer(connection["number"]), text(upstream["name"]), text(connection["state"]),
          seconds(connection["age_s"]), seconds(connection["idle_s"]),
          connection["rtt_ms"]?.number.map { Quantity.milliseconds($0) } ?? "-",
          integer(connection["requests"]),
          "\(integer(connection["lanes_busy"])) of \(integer(connection["lanes"]))",
          text(connection["tls_version"])
            + (connection["tls_resumed"]?.boolean == true ? ", resumed" : ""),
        ])
      }
    }
    return table.isEmpty ? "" : table.text
  }

  private var clientTable: String {
    var table = TextTable(header: ["CLIENT", "PID", "UID", "REQUESTS", "UNREAD", "COMMAND"])
    for client in status["clients"]?.elements ?? [] {
      table.append([
        integer(client["number"]), integer(client["pid"]), integer(client["uid"]),
        integer(client["open_requests"]),
        client["unread_bytes"]?.number.map { Quantity.bytes($0) } ?? "-",
        text(client["command"]),
      ])
    }
    return table.isEmpty ? "" : table.text
  }

  private func text(_ view: JSONView?) -> String {
    view?.string.flatMap { $0.isEmpty ? nil : $0 } ?? "-"
  }

  private func integer(_ view: JSONView?) -> String { view?.integer.map { String($0) } ?? "-" }

  private func seconds(_ view: JSONView?) -> String {
    view?.number.map { Quantity.seconds($0) } ?? "-"
  }
}
