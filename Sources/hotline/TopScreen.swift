/// The lines of `top`: as many as there are rows, none longer than there are columns.
struct TopScreen {
  let model: TopModel
  let columns: Int
  let rows: Int
  let style: TextStyle
  /// Bars can be more than ASCII.
  let isUnicode: Bool

  static let help = "q quit  s sort  / filter  j k select  c cancel  p pause"
  private static let barColumns = 6

  var lines: [String] {
    let status = model.status
    return status.withUnsafeBytes { status in
      model.stats.withUnsafeBytes { stats in
        compose(JSONView(line: status), JSONView(line: stats))
      }
    }
  }

  private func compose(_ status: JSONView?, _ stats: JSONView?) -> [String] {
    let summary = self.summary(status, stats)
    let upstreams = table(upstreamTable(status, stats))
    let connections = table(connectionTable(status))
    let requests = table(requestTable)
    // The rest is shared: requests are what one is here for, the last line is for the keys.
    let fixed = summary + [""] + upstreams
    let left = max(0, rows - fixed.count - 1)
    let connectionRows = min(connections.count, max(0, (left - 2) / 2))
    var lines = fixed
    if connectionRows > 1 { lines += [""] + connections.prefix(connectionRows) }
    let requestRows = rows - lines.count - 2
    if requestRows > 1 { lines += [""] + window(requests, requestRows) }
    lines = Array(lines.prefix(rows - 1))
    lines += Array(repeating: "", count: max(0, rows - 1 - lines.count))
    return lines + [footer]
  }

  private func cut(_ line: String) -> String {
    line.cut(toColumns: columns)
  }

  private func table(_ table: TextTable) -> [String] {
    table.text(columns: columns, style).split(separator: "\n", omittingEmptySubsequences: false)
      .dropLast().map(String.init)
  }

  // MARK: Parts

  private func summary(_ status: JSONView?, _ stats: JSONView?) -> [String] {
    guard let status else { return ["waiting for hotlined", ""] }
    let uptime = status["uptime_s"]?.number.map { Quantity.seconds($0) } ?? "-"
    let running = model.rows.count { $0.state == "running" }
    let first =
      "hotlined \(words(status["version"]))  \(words(status["state"]))  up \(uptime)  "
      + "\(status["clients"]?.elements.count ?? 0) clients  \(running) running  "
      + "\(integer(status["queue"]?["waiting"])) waiting"
    var parts: [String] = []
    if let rates = model.rates {
      parts.append("\(Quantity.fixed(rates.requests, decimals: 1)) requests/s")
      parts.append("\(Quantity.fixed(rates.tokens, decimals: 0)) tokens/s")
    }
    if let day = stats?["days"]?.elements.last {
      parts.append("\(words(day["date"])): \(integer(day["requests"])) requests")
      if let cost = day["cost_usd"]?.number { parts.append(Quantity.dollars(cost)) }
    }
    if let held = status["memory_bytes"]?.number { parts.append("\(Quantity.bytes(held)) held") }
    return [style.apply(.strong, cut(first)), cut(parts.joined(separator: "  "))]
  }

  private func upstreamTable(_ status: JSONView?, _ stats: JSONView?) -> TextTable {
    var table = TextTable(header: [
      "UPSTREAM", "STATE", "OPEN", "WAITING", "FIRST TEXT P50", "P90", "P99",
    ])
    let latencies = stats?["latency_ms"]?.elements ?? []
    for upstream in status?["upstreams"]?.elements ?? [] {
      let name = words(upstream["name"])
      let times = latencies.first { $0["upstream"]?.string == name }?["first_text"]
      let open = upstream["connections"]?.elements.count { $0["state"]?.string != "dialing" } ?? 0
      table.append([
        name.cut(toColumns: 14), words(upstream["state"]),
        "\(open)/\(integer(upstream["connections_max"]))", integer(upstream["waiting"]),
        bar(times?["p50"]), bar(times?["p90"]), bar(times?["p99"]),
      ])
    }
    return table
  }

  /// A millisecond is nothing and a minute is all: each step is six times the one before.
  private func bar(_ milliseconds: JSONView?) -> String {
    guard let value = milliseconds?.number else { return "-" }
    var filled = 0
    var step = 1.0
    while filled < Self.barColumns, value > step * 6 {
      step *= 6
      filled += 1
    }
    let bar =
      String(repeating: isUnicode ? "▇" : "#", count: filled)
      + String(repeating: isUnicode ? "·" : ".", count: Self.barColumns - filled)
    return "\(bar) \(Quantity.milliseconds(value).filter { $0 != " " })"
  }

  private func connectionTable(_ status: JSONView?) -> TextTable {
    var table = TextTable(header: [
      "CONNECTION", "STATE", "AGE", "IDLE", "RTT", "REQUESTS", "LANES", "UPSTREAM",
    ])
    for upstream in status?["upstreams"]?.elements ?? [] {
      for connection in upstream["connections"]?.elements ?? [] {
        table.append(UpstreamReport.cells(connection) + [words(upstream["name"])])
      }
    }
    return table
  }

  private var requestTable: TextTable {
    var table = TextTable(header: [
      " ", "CLIENT", "PID", "STATE", "AGE", "ON", "MODEL", "TAG", "REQUEST",
    ])
    let selected = model.selectedIndex
    for (index, row) in model.visibleRows.enumerated() {
      table.append([
        index == selected ? ">" : " ", String(row.request.client), row.pid, row.state,
        Quantity.shortSeconds(row.age), row.connection, String(row.model.prefix(16)),
        String(row.tag.prefix(16)), row.request.id,
      ])
    }
    return table
  }

  /// The header, and as many rows as there is room for, the selected one among them.
  private func window(_ table: [String], _ room: Int) -> [String] {
    guard table.count > room, let header = table.first, let selected = model.selectedIndex else {
      return table
    }
    let count = room - 1
    let first = min(max(0, selected - count / 2), table.count - 1 - count)
    return [header] + table.dropFirst(1 + first).prefix(count)
  }

  private var footer: String {
    if case .filtering = model.mode { return cut("filter: \(model.filter)_") }
    if !model.message.isEmpty { return cut(PrintableText.line(model.message)) }
    var text = Self.help
    text += "  by \(model.sorting.rawValue)"
    if !model.filter.isEmpty { text += "  only \(model.filter)" }
    if model.isPaused { text += "  PAUSED" }
    return cut(text)
  }
}
