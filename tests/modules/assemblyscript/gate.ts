// Asks another service about each request and holds it meanwhile: 200 lets it go on, anything else is 403.
export * from "@solo-io/proxy-runtime/proxy";
import {
  BaseContext, Context, FilterHeadersStatusValues, GrpcStatusValues, HeaderPair, RootContext, continue_request,
  registerRootContext, send_local_response, stream_context,
} from "@solo-io/proxy-runtime";

class GateRoot extends RootContext {
  // The SDK's own, in 0.1.8, has the host write a length to an address that is none.
  onConfigure(_: u32): bool {
    return true;
  }

  createContext(id: u32): Context {
    return new Gate(id, this);
  }
}

function pair(name: string, value: string): HeaderPair {
  return new HeaderPair(String.UTF8.encode(name), String.UTF8.encode(value));
}

class Gate extends Context {
  constructor(id: u32, root: GateRoot) {
    super(id, root);
  }

  onRequestHeaders(_: u32, end: bool): FilterHeadersStatusValues {
    const headers: HeaderPair[] = [pair(":method", "GET"), pair(":path", "/may"), pair(":authority", "auth")];
    this.root_context.httpCall(
      "auth", headers, new ArrayBuffer(0), [], 250, this,
      (_: BaseContext, headers: u32, size: usize, trailers: u32): void => {
        if (stream_context.headers.http_callback.get(":status") == "200") {
          stream_context.headers.request.add("x-gate", "open");
          continue_request();
        } else {
          send_local_response(403, "shut", String.UTF8.encode("no"), [], GrpcStatusValues.PermissionDenied);
        }
      });
    return FilterHeadersStatusValues.StopIteration;
  }
}

registerRootContext((id: u32) => new GateRoot(id), "gate");
