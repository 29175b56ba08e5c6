@testable import SXHost
import SX
import Testing

/// What the operations of the host need.
@Suite struct OperationCapabilityTests {
  @Test func everyOperationSaysWhatItNeeds() throws {
    let needs: [String: Capability?] = [
      "sleep": nil, "wait": nil, "notify": nil, "gunzip": nil, "otlp-parts": nil, "http-request": .networkClient, "http-serve": .networkServer, "http-respond": .networkServer,
      "http-stream": .networkServer, "http-write": .networkServer, "http-end": .networkServer,
    ]
    #expect(Set(SystemHost.operations.keys) == Set(needs.keys))
    for (name, capability) in needs {
      let host = SystemHost(SystemHost.Configuration(output: .captured)), sx = Interpreter(host: host)
      #expect(host.capability(of: name) == capability)
      guard let capability else { continue }
      let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(perform {:op \"\(name)\" :args ()})") }
      #expect(error?.message == "\(name): not allowed: it needs the capability `\(capability.rawValue)`")
    }
  }

  @Test func timeThatPassesWhileAFiberSleepsCounts() throws {
    let sx = Interpreter(host: SystemHost(SystemHost.Configuration(output: .captured)))
    sx.limits.time = .milliseconds(50)
    let start = ContinuousClock.now
    let error = #expect(throws: Diagnostic.self) { try sx.evaluate("(guard (e (true 1)) (perform {:op \"sleep\" :args (list 60000)}))") }
    #expect(error?.interruption == .time)
    #expect(ContinuousClock.now - start < .seconds(10))
  }
}
