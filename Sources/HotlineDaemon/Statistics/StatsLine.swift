import HotlineCore
import HotlineSystem
import HotlineWire

/// `hotline.stats`: what has been done since the start, in one line.
struct StatsLine {
  private let daemon: DaemonLoop
  private let echo: [UInt8]?
  private let now: MonotonicInstant
  /// Whose labels alone are shown, and nothing that sums up others' requests; nil for all.
  private let onlyUID: UInt32?

  /// - Parameter uid: who asks: root and the owner see all, others their own labels.
  init(_ daemon: DaemonLoop, echo: [UInt8]?, for uid: UInt32, at now: MonotonicInstant) {
    self.daemon = daemon
    self.echo = echo
    self.now = now
    onlyUID = daemon.seesAll(uid) ? nil : uid
  }

  func append(to bytes: inout [UInt8]) {
    LocalLine.appendLine(to: &bytes) { line in
      line.member("type", "hotline.stats")
      if let echo { line.member("request_id", spelling: echo) }
      line.member("protocol", 1)
      line.member("version", hotlineVersion)
      line.member("pid", ownProcessID)
      line.member("uptime_s", daemon.startedAt.duration(to: now).components.seconds)
      appendCounters(&line)
      appendLatencies(&line)
      line.name("usage")
      line.beginObject()
      append(daemon.statistics.accounts, to: &line)
      line.endObject()
      appendBudgets(&line)
      line.name("days")
      line.beginArray()
      for day in daemon.statistics.days {
        line.beginObject()
        line.member("date", day.day.date)
        append(day.accounts, to: &line)
        line.endObject()
      }
      line.endArray()
    }
  }

  /// Nothing for other users.
  private func appendBudgets(_ line: inout JSONWriter) {
    guard onlyUID == nil else { return }
    let budgets = daemon.configuration.budgets
    let day = daemon.today()
    line.name("budgets")
    line.beginArray()
    let byTag = budgets.perDayByTag.sorted { $0.key < $1.key }.map {
      (tag: $0.key, limit: $0.value)
    }
    let whole: [(tag: String?, limit: Double)] = budgets.perDay.map { [(nil, $0)] } ?? []
    for (tag, limit) in whole + byTag {
      line.beginObject()
      line.member("tag", tag)
      line.name("usd_per_day")
      line.decimal(limit, decimalsMax: 9)
      line.name("spent_usd")
      line.decimal(daemon.spending.sum(tag: tag, on: day), decimalsMax: 9)
      line.member("resets_at", day.endInWords)
      line.endObject()
    }
    line.endArray()
  }

  private func appendCounters(_ line: inout JSONWriter) {
    line.name("counters")
    line.beginObject()
    for entry in daemon.broker.counters.entries {
      line.name(text: entry.name)
      switch entry.value {
      case .one(let count): line.integer(count)
      case .each(_, let counts):
        line.beginObject()
        for (label, count) in counts {
          line.name(text: label)
          line.integer(count)
        }
        line.endObject()
      }
    }
    line.endObject()
  }

  private func appendLatencies(_ line: inout JSONWriter) {
    line.name("latency_ms")
    line.beginArray()
    for (upstream, latencies) in daemon.statistics.latencies.values.sorted(by: { $0.key < $1.key })
    {
      line.beginObject()
      line.member("upstream", upstream)
      for kind in UpstreamLatencies.Kind.allCases {
        line.name(text: kind.rawValue)
        append(latencies[kind], to: &line)
      }
      line.endObject()
    }
    line.endArray()
  }

  /// `null` where nothing was measured.
  private func append(_ histogram: LatencyHistogram?, to line: inout JSONWriter) {
    guard let histogram else { return line.null() }
    line.beginObject()
    line.member("count", histogram.count)
    line.member("mean", histogram.mean)
    line.member("p50", histogram.percentile(50))
    line.member("p90", histogram.percentile(90))
    line.member("p99", histogram.percentile(99))
    line.member("p999", histogram.percentile(99.9))
    line.member("max", histogram.longest)
    line.endObject()
  }

  // MARK: Accounts

  private func append(_ accounts: Accounts, to line: inout JSONWriter) {
    if onlyUID == nil {
      append(accounts.total, to: &line)
      line.name("models")
      line.beginArray()
      let models = accounts.models.values.sorted { ($0.key ?? "") < ($1.key ?? "") }
      for (model, account) in models {
        line.beginObject()
        line.member("model", model)
        append(account, to: &line)
        line.endObject()
      }
      line.endArray()
      line.name("upstreams")
      line.beginArray()
      for (upstream, account) in accounts.upstreams.values.sorted(by: { $0.key < $1.key }) {
        line.beginObject()
        line.member("upstream", upstream)
        append(account, to: &line)
        line.endObject()
      }
      line.endArray()
    }
    appendTags(accounts, to: &line)
  }

  private func appendTags(_ accounts: Accounts, to line: inout JSONWriter) {
    line.name("tags")
    line.beginArray()
    let tags = accounts.tags.values.filter { onlyUID == nil || $0.key.uid == onlyUID }
      .sorted { ($0.key.tag, $0.key.uid ?? 0) < ($1.key.tag, $1.key.uid ?? 0) }
    for (key, account) in tags {
      line.beginObject()
      line.member("tag", key.tag)
      line.member("uid", key.uid)
      append(account, to: &line)
      line.endObject()
    }
    line.endArray()
  }

  private func append(_ account: Account, to line: inout JSONWriter) {
    line.member("requests", account.requests)
    line.member("input_tokens", account.inputTokens)
    line.member("cached_input_tokens", account.cachedInputTokens)
    line.member("output_tokens", account.outputTokens)
    line.name("cost_usd")
    if let cost = account.cost { line.decimal(cost, decimalsMax: 9) } else { line.null() }
    line.member("unpriced_requests", account.unpricedRequests)
  }
}
