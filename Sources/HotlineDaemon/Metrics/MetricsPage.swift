import HotlineCore
import HotlineSystem
import HotlineTLS
import HotlineTransport

/// Everything that is measured, for Prometheus.
///
/// Labels have bounded values: upstreams are configured, models and tags as in ``Statistics``.
struct MetricsPage {
  /// In milliseconds.
  static let bounds = [
    1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000,
    600_000, 1_800_000,
  ]

  private let daemon: DaemonLoop
  private var page = PrometheusText()

  static func text(_ daemon: DaemonLoop) -> String {
    var metrics = MetricsPage(daemon: daemon)
    metrics.appendProcess()
    metrics.appendUpstreams()
    metrics.appendCounters()
    metrics.appendLatencies()
    metrics.appendUsage()
    metrics.appendBudgets()
    return metrics.page.text
  }

  private init(daemon: DaemonLoop) {
    self.daemon = daemon
  }

  private mutating func gauge(_ name: String, _ help: String, _ value: some Numeric) {
    page.metric(name, .gauge, help, [(labels: [], value: value)])
  }

  private mutating func appendProcess() {
    page.metric(
      "hotline_build_info", .gauge, "Version of the daemon.",
      [(labels: [("version", hotlineVersion)], value: 1)])
    gauge(
      "process_start_time_seconds", "Start of the process, in seconds since 1970.",
      daemon.startTime)
    gauge("hotline_clients", "Local connections.", daemon.clients.count)
    gauge("hotline_requests_open", "Requests that have not ended.", daemon.requests.count)
    gauge("hotline_held_bytes", "Bytes of lines and events held.", daemon.ledger.bytes)
    gauge("hotline_draining", "1 while new requests are refused.", daemon.broker.isDraining ? 1 : 0)
  }

  private mutating func appendUpstreams() {
    let snapshot = daemon.broker.snapshot(at: daemon.now)
    let shown = snapshot.upstreams.filter { !daemon.upstreams[$0.index.rawValue].isRemoved }
    func name(_ upstream: Snapshot.Upstream) -> (String, String) {
      ("upstream", daemon.upstreams[upstream.index.rawValue].configuration.name)
    }
    page.metric(
      "hotline_upstream_up", .gauge, "1 while a connection is open.",
      shown.map { (labels: [name($0)], value: $0.state == .ok ? 1 : 0) })
    page.metric(
      "hotline_upstream_connections", .gauge, "Connections by state.",
      shown.flatMap { upstream in
        Snapshot.Connection.State.allCases.map { state in
          (labels: [name(upstream), ("state", state.rawValue)], value: upstream.count(state))
        }
      })
    page.metric(
      "hotline_requests_waiting", .gauge, "Requests that wait for a connection.",
      shown.map { (labels: [name($0)], value: $0.waiting) })
    page.metric(
      "hotline_upstream_round_trip_seconds", .gauge,
      "From the latest ping to its pong; of several connections the longest.",
      shown.compactMap { upstream in
        upstream.longestRoundTrip.map {
          (labels: [name(upstream)], value: Double($0.wholeNanoseconds) / 1e9)
        }
      })
    let handshakes = shown.compactMap { upstream in
      daemon.upstreams[upstream.index.rawValue].endpoint.tls.map { (name(upstream), $0.handshakes) }
    }
    page.metric(
      "hotline_tls_handshakes_total", .counter, "TLS handshakes that came to their end.",
      handshakes.map { (labels: [$0.0], value: $0.1.all) })
    page.metric(
      "hotline_tls_resumed_total", .counter, "Those that took up an earlier session.",
      handshakes.map { (labels: [$0.0], value: $0.1.resumed) })
  }

  private mutating func appendCounters() {
    for entry in daemon.broker.counters.entries {
      let name = "hotline_\(entry.name)_total"
      switch entry.value {
      case .one(let count):
        page.metric(name, .counter, entry.help, [(labels: [], value: count)])
      case .each(let label, let counts):
        page.metric(
          name, .counter, entry.help, counts.map { (labels: [(label, $0.0)], value: $0.1) })
      }
    }
  }

  private mutating func appendLatencies() {
    let latencies = daemon.statistics.latencies.values.sorted { $0.key < $1.key }
    for kind in UpstreamLatencies.Kind.allCases {
      let histograms = latencies.compactMap { name, of in of[kind].map { (name, $0) } }
      guard !histograms.isEmpty else { continue }
      let (name, help) = kind.metric
      page.begin(name, .histogram, help)
      for (upstream, histogram) in histograms {
        page.histogram(name, [("upstream", upstream)], histogram, bounds: Self.bounds)
      }
    }
  }

  // MARK: Usage

  private mutating func appendUsage() {
    let accounts = daemon.statistics.accounts
    append(
      "model", Self.sums(accounts.models.values.map { ($0.key ?? "none", $0.value) }))
    append("upstream", Self.sums(accounts.upstreams.values.map { ($0.key, $0.value) }))
    append("tag", Self.sums(accounts.tags.values.map { ($0.key.tag, $0.value) }))
  }

  /// Labels of several users are one here, as is a real name with what stands for none.
  private static func sums(_ accounts: [(String, Account)]) -> [(String, Account)] {
    Dictionary(accounts, uniquingKeysWith: +).sorted { $0.key < $1.key }
  }

  private mutating func append(_ label: String, _ accounts: [(String, Account)]) {
    page.metric(
      "hotline_\(label)_requests_total", .counter, "Requests that have ended, by \(label).",
      accounts.map { (labels: [(label, $0.0)], value: $0.1.requests) })
    page.metric(
      "hotline_\(label)_tokens_total", .counter,
      "Tokens used, by \(label); cached_input is a part of input.",
      accounts.flatMap { name, account in
        [
          ("input", account.inputTokens), ("cached_input", account.cachedInputTokens),
          ("output", account.outputTokens),
        ].map { (labels: [(label, name), ("kind", $0.0)], value: $0.1) }
      })
    page.metric(
      "hotline_\(label)_cost_usd_total", .counter,
      "Cost in US dollars of the requests whose price is known, by \(label).",
      accounts.compactMap { name, account in
        account.cost.map { (labels: [(label, name)], value: $0) }
      })
    page.metric(
      "hotline_\(label)_unpriced_requests_total", .counter,
      "Requests with tokens at a price that is not known, by \(label).",
      accounts.map { (labels: [(label, $0.0)], value: $0.1.unpricedRequests) })
  }

  private mutating func appendBudgets() {
    let budgets = daemon.configuration.budgets
    guard budgets.isSet else { return }
    let day = daemon.today()
    let limits =
      (budgets.perDay.map { [("", $0)] } ?? [])
      + budgets.perDayByTag.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    page.metric(
      "hotline_budget_usd", .gauge, "US dollars that may be spent today; no tag: by all.",
      limits.map { (labels: [("tag", $0.0)], value: $0.1) })
    page.metric(
      "hotline_budget_spent_usd", .gauge, "US dollars spent today; no tag: by all.",
      limits.map { tag, _ in
        (
          labels: [("tag", tag)],
          value: daemon.spending.sum(tag: tag.isEmpty ? nil : tag, on: day)
        )
      })
  }
}

extension UpstreamLatencies.Kind {
  fileprivate var metric: (name: String, help: String) {
    switch self {
    case .queued:
      ("hotline_request_queue_seconds", "From a request's arrival to its hand-over.")
    case .connect: ("hotline_connect_duration_seconds", "From a dial to its opening.")
    case .firstEvent:
      ("hotline_request_first_event_seconds", "From a request's arrival to its first event.")
    case .firstText:
      ("hotline_request_first_text_seconds", "From a request's arrival to its first text.")
    case .total:
      ("hotline_request_duration_seconds", "From a request's arrival to its last line.")
    }
  }
}
