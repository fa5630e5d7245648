import TestSupport
import Testing

@testable import HotlineDaemon

/// Verification cannot be turned off: every way to tell the daemon something is listed here with
/// what it can do to it, so that a new one is thought about.
@Suite struct VerificationSurfaceTests {
  /// They name whom to trust, or demand more; none lets through what would be refused.
  private static let keysOfTrust: Set = [
    "ca_file", "ca_file_extra", "client_certificate", "client_key", "pin_sha256", "tls_min",
  ]
  /// They say where to, and through what; the name in a URL is the one that is verified.
  private static let keysOfThePeer: Set = ["preset", "url", "proxy", "subprotocol"]
  private static let otherKeys: Set = [
    "api_key_file", "api_key", "key_header", "key_variable", "headers", "envelope", "rate_limits",
    "failover", "continuation", "store_false", "cancel", "compression",
    "warm_up",
  ]

  @Test func everyKeyOfAnUpstreamIsKnownHere() {
    let numbers = Set(Schema.upstream.map(\.key))
    let known = Self.keysOfTrust.union(Self.keysOfThePeer).union(Self.otherKeys).union(numbers)
    #expect(Set(Schema.upstreamKeys) == known)
  }

  @Test func everyNumberIsKnownHere() {
    #expect(
      Schema.upstream.map(\.key) == [
        "connections_warm", "connections_max", "lanes", "dials_max", "connect_timeout",
        "ping_interval", "pong_timeout", "probe_timeout", "idle_limit", "age_limit", "age_margin",
        "shrink_after", "patience", "circuit_after", "abandoned_timeout", "steer_timeout",
        "message_bytes_max", "event_bytes_max",
      ])
  }

  @Test func everyOtherTableIsKnownHere() {
    #expect(
      Schema.rootKeys == [
        "default_upstream", "budget_usd_per_day", "access_log", "socket", "queue", "defaults",
        "metrics", "route", "price", "tag", "upstream",
      ])
  }

  /// What its help does not show it does not take.
  @Test func everyFlagIsKnownHere() throws {
    let help = try ChildProcess.run(Requires.program("hotlined"), ["--help-hidden"])
    let found = Set(help.output.matches(of: /--[a-z-]+/).map { String($0.output) })
    #expect(
      found == [
        "--config", "--socket", "--url", "--api-key-file", "--ca-file", "--check-config",
        "--doctor", "--json", "--store-key", "--upstream", "--upstreams", "--log-level",
        "--log-format", "--version", "--help",
      ])
  }

  /// And those that OpenSSL looks at itself: `SSL_CERT_FILE`, `SSL_CERT_DIR` and `OPENSSL_CONF`,
  /// as for every program of the system.
  @Test func everyVariableIsKnownHere() {
    #expect(
      Set(Surroundings.variables) == [
        "HOTLINE_SOCKET", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "CREDENTIALS_DIRECTORY", "HOME",
        "STATE_DIRECTORY", "XDG_STATE_HOME", "https_proxy", "HTTPS_PROXY", "all_proxy",
        "ALL_PROXY", "no_proxy", "NO_PROXY",
      ])
  }
}
