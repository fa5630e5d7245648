/// `hotline.stats` as a page for people, at most 80 columns wide; what is not known is a dash.
///
/// Counters that are 0 are left out; all of them are in the line.
struct StatsReport {
  private let stats: JSONView
  private let style: TextStyle

  init(_ stats: JSONView, _ style: TextStyle = .plain) {
    self.stats = stats
    self.style = style
  }

  var text: String {
    let uptime = stats["uptime_s"]?.number.map { Quantity.seconds($0) } ?? "-"
    let heading =
      "hotlined \(words(stats["version"])), pid \(integer(stats["pid"])), up \(uptime)\n"
    let usage = stats["usage"]
    let parts = [
      heading, latencyTable, accounts("MODEL", usage?["models"], "model"),
      accounts("UPSTREAM", usage?["upstreams"], "upstream"), accounts("TAG", usage?["tags"], "tag"),
      dayTable, budgetTable, counters,
    ]
    return parts.filter { !$0.isEmpty }.joined(separator: "\n")
  }

  private var latencyTable: String {
    var table = TextTable(header: ["LATENCY", "COUNT", "MEAN", "P50", "P90", "P99", "MAX", "OF"])
    for upstream in stats["latency_ms"]?.elements ?? [] {
      for kind in ["queued", "connect", "first_event", "first_text", "total"] {
        guard let histogram = upstream.members.first(where: { $0.name == kind })?.value,
          !histogram.members.isEmpty
        else { continue }
        let times = ["mean", "p50", "p90", "p99", "max"].map { name in
          histogram.members.first { $0.name == name }?.value.number
            .map { Quantity.milliseconds($0) } ?? "-"
        }
        table.append(
          [kind, integer(histogram["count"])] + times + [words(upstream["upstream"])])
      }
    }
    return shown(table)
  }

  /// Those with a common label; last is what each is called, for that may be long.
  private func accounts(_ title: String, _ list: JSONView?, _ label: StaticString) -> String {
    var table = TextTable(header: Self.accountHeader + [title])
    for account in list?.elements ?? [] {
      table.append(Self.cells(account) + [words(account[label])])
    }
    return shown(table)
  }

  private var dayTable: String {
    var table = TextTable(header: Self.accountHeader + ["DAY"])
    let days = stats["days"]?.elements ?? []
    for day in days where day["requests"] != nil {
      table.append(Self.cells(day) + [words(day["date"])])
    }
    return shown(table)
  }

  private var budgetTable: String {
    var table = TextTable(header: ["SPENT TODAY", "OF", "UNTIL", "BY TAG"])
    for budget in stats["budgets"]?.elements ?? [] {
      table.append([
        dollars(budget["spent_usd"]), dollars(budget["usd_per_day"]), words(budget["resets_at"]),
        budget["tag"] == nil ? "all" : words(budget["tag"]),
      ])
    }
    return shown(table)
  }

  private static let accountHeader = ["REQUESTS", "INPUT", "CACHED", "OUTPUT", "COST"]

  private static func cells(_ account: JSONView) -> [String] {
    [
      integer(account["requests"]), integer(account["input_tokens"]),
      integer(account["cached_input_tokens"]), integer(account["output_tokens"]),
      dollars(account["cost_usd"]),
    ]
  }

  private var counters: String {
    var list = TextList(indent: 0)
    for (name, value) in stats["counters"]?.members ?? [] {
      let single = value.integer.map { [("", $0)] }
      let counts =
        single ?? value.members.compactMap { label, count in count.integer.map { (label, $0) } }
      let known = counts.filter { $0.1 != 0 }.map { label, count in
        label.isEmpty ? "\(count)" : "\(count) \(label)"
      }
      list.append(name, known.isEmpty ? nil : known.joined(separator: ", "))
    }
    return list.text(columns: StatusReport.columns, style)
  }

  private func shown(_ table: TextTable) -> String {
    table.isEmpty ? "" : table.text(columns: StatusReport.columns, style)
  }
}

private func dollars(_ view: JSONView?) -> String {
  view?.number.map { Quantity.dollars($0) } ?? "-"
}
