import HotlineCore
import HotlineTLS
import HotlineTransport
import NIOCore

/// The steps of a dial as the doctor tells of them. Pure value.
struct DoctorSteps {
  private let upstream: UpstreamConfiguration
  private let first: DoctorProbe.Findings
  private let second: DoctorProbe.Findings?

  init(
    _ upstream: UpstreamConfiguration, _ first: DoctorProbe.Findings,
    _ second: DoctorProbe.Findings?
  ) {
    self.upstream = upstream
    self.first = first
    self.second = second
  }

  /// What there is no trying of without good settings.
  static func afterSettings(_ upstream: UpstreamConfiguration) -> [String] {
    ["name"] + afterName(upstream)
  }

  static func afterName(_ upstream: UpstreamConfiguration) -> [String] {
    var names = ["tcp"]
    if upstream.proxy != nil { names.append("proxy") }
    if upstream.endpoint.isSecure { names += ["tls", "resumption"] }
    return names + ["upgrade", "grace", "ping"]
  }

  /// Those behind the first that failed are not tried; a second connection is tried after all.
  var all: [DoctorStep] {
    var steps: [DoctorStep] = []
    for name in Self.afterName(upstream) {
      let isBarred = steps.contains { $0.isBad && $0.name != "resumption" }
      steps.append(isBarred ? .skipped(name) : step(name))
    }
    guard upstream.endpoint.isSecure, second == nil,
      let index = steps.firstIndex(where: { $0.name == "resumption" })
    else { return steps }
    steps[index] = .skipped("resumption")
    return steps
  }

  private func step(_ name: String) -> DoctorStep {
    let times = first.times
    switch name {
    case "tcp":
      return dialled(
        name, from: first.began, to: times.connected, through,
        remedy: upstream.endpoint.address.socketPath == nil ? Self.tcpRemedy : Self.socketRemedy)
    case "proxy":
      return dialled(
        name, from: times.connected, to: times.tunnelled, "a tunnel is open",
        remedy: "check proxy, or HTTPS_PROXY and ALL_PROXY: its kind, its port, user and password")
    case "tls":
      return dialled(
        name, from: times.tunnelled ?? times.connected, to: times.secured, agreed,
        remedy: "see ca_file, ca_file_extra, client_certificate, pin_sha256 and tls_min in "
          + "hotline.toml(5); a network that opens TLS needs its authority in ca_file_extra")
    case "resumption": return resumption
    case "upgrade":
      return dialled(
        name, from: times.secured ?? times.tunnelled ?? times.connected, to: times.upgraded,
        accepted, remedy: upgradeRemedy)
    case "grace": return grace
    default: return ping
    }
  }

  private static let tcpRemedy =
    "is the port right, and does a firewall let it through? Where only a proxy knows the way out, "
    + "set proxy or HTTPS_PROXY"

  private static let socketRemedy =
    "does the server run, is this the path of its socket, and may this user write to it?"

  private func dialled(
    _ name: String, from begin: NIODeadline?, to end: NIODeadline?, _ detail: String,
    remedy: String
  ) -> DoctorStep {
    guard let end else {
      let reason = first.dialFailure?.detail ?? "it was not reached"
      return .bad(name, begin.map { Duration(first.ended - $0) }, reason, remedy: remedy)
    }
    return .good(name, begin.map { Duration(end - $0) }, detail)
  }

  // MARK: Details

  private var through: String {
    let address = first.address ?? ""
    return upstream.proxy.map { "connected to the proxy \($0): \(address)" }
      ?? "connected to \(address)"
  }

  private var agreed: String {
    guard let handshake = first.handshake else { return "" }
    var parts = [handshake.version, handshake.cipher]
    if let days = handshake.certificates.map(\.daysLeft).min() { parts.append("\(days) days left") }
    let chain = handshake.certificates.map(\.subject)
    if !chain.isEmpty { parts.append(chain.joined(separator: " ← ")) }
    return parts.joined(separator: ", ")
  }

  private var accepted: String {
    guard let facts = first.facts else { return "" }
    let server = facts.server.map { ["server \($0)"] } ?? []
    let parts = ["accepted"] + server + facts.headers.map { "\($0.name) \($0.value)" }
    return parts.joined(separator: ", ")
  }

  private var upgradeRemedy: String {
    switch first.dialFailure?.status {
    case 401?, 403?: "check the key: is it this server's, and still good?"
    case 404?, 405?, 426?: "check the path in the url"
    case 429?: "wait; another program may use up this key's limits"
    case .some(500...): "the server's own trouble: wait, or ask its owner"
    case .some(300..<400): "give the address it redirects to as the url, if you trust that"
    default: "does the url lead to a WebSocket server?"
    }
  }

  // MARK: Steps behind the dial

  private var resumption: DoctorStep {
    if let failure = second?.dialFailure {
      return .bad(
        "resumption", second.map { Duration($0.ended - $0.began) },
        "a second connection failed: \(failure.detail)",
        remedy: "try again; if it stays so, the server, or what is between, lets through only one "
          + "connection at a time: set connections_max = 1")
    }
    guard let handshake = second?.handshake else { return .skipped("resumption") }
    let begin = second.flatMap { $0.times.tunnelled ?? $0.times.connected }
    let duration = second?.times.secured.flatMap { end in begin.map { Duration(end - $0) } }
    return .good(
      "resumption", duration,
      handshake.isResumed
        ? "a second connection took up the first one's secrets"
        : "none: the server makes a full handshake every time, which costs time but works")
  }

  private var grace: DoctorStep {
    guard let failure = first.graceFailure else {
      return .good("grace", Duration(DoctorProbe.grace), "the connection stays open")
    }
    return .bad(
      "grace", failure.after, failure.detail,
      remedy: "check headers and envelope against the server's own documents (OpenAI-Beta, for one)"
    )
  }

  private var ping: DoctorStep {
    guard let roundTrip = first.roundTrip else {
      return .bad(
        "ping", first.pingFailure?.after, first.pingFailure?.detail ?? "no pong came",
        remedy:
          "a middlebox may hold back what it does not know; try another network, or pong_timeout"
      )
    }
    return .good("ping", roundTrip, "there and back")
  }
}
