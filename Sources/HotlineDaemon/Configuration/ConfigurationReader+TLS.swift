import HotlineTLS

/// Whom an upstream's connections trust, and how they introduce themselves.
extension ConfigurationReader {
  func readTLS(_ reader: inout TableReader, into upstream: inout UpstreamConfiguration) {
    upstream.caFile = path("ca_file", &reader, such: "ca.pem") ?? upstream.caFile
    upstream.caFileExtra = path("ca_file_extra", &reader, such: "ca.pem")
    upstream.clientIdentity = clientIdentity(&reader)
    upstream.pins = pins(&reader)
    if let least = reader.choice("tls_min", TLSSettings.Version.self) { upstream.tlsMin = least }
    guard !upstream.endpoint.isSecure else { return }
    // Whoever asks for these must not believe that they are kept to.
    for key in ["client_certificate", "pin_sha256"] where reader.isGiven(key) {
      reader.reject(key, "means nothing with a ws:// url, which has no TLS; leave it out")
    }
  }

  private func clientIdentity(_ reader: inout TableReader) -> TLSSettings.ClientIdentity? {
    let certificate = path("client_certificate", &reader, such: "client.pem")
    let key = path("client_key", &reader, such: "client.key")
    let pair = ["client_certificate", "client_key"]
    if let missing = pair.first(where: { !reader.isGiven($0) }),
      let given = pair.first(where: reader.isGiven)
    {
      reader.reject(
        given, "needs \(missing) beside it, which may name the same file; give both or neither")
    }
    guard let certificate, let key else { return nil }
    return TLSSettings.ClientIdentity(certificateFile: certificate, keyFile: key)
  }

  private func pins(_ reader: inout TableReader) -> [TLSPin] {
    let example = "Ko8tivDrEjiY90yGasP6ZpBU4jwXvHqVvQI0GS3GNdA="
    guard let texts = reader.strings("pin_sha256", such: example) else { return [] }
    guard (1...Schema.pinsMax).contains(texts.count) else {
      reader.reject(
        "pin_sha256",
        "has \(texts.count) pins; 1 to \(Schema.pinsMax) would do, or leave it out")
      return []
    }
    var pins: [TLSPin] = []
    for text in texts {
      guard let pin = TLSPin(base64: text) else {
        reader.reject(
          "pin_sha256",
          "\(Showable.quoted(text)) is no SHA-256 digest in base64, 44 characters with a = at the "
            + "end, such as \"\(example)\"")
        continue
      }
      pins.append(pin)
    }
    return pins
  }
}
