// Writes a header into request and response, as the SDK's own first example does.
export * from "@solo-io/proxy-runtime/proxy";
import {
  Context, FilterHeadersStatusValues, LogLevelValues, RootContext, log, registerRootContext, stream_context,
} from "@solo-io/proxy-runtime";

class TagsRoot extends RootContext {
  // The SDK's own, in 0.1.8, has the host write a length to an address that is none.
  onConfigure(_: u32): bool {
    return true;
  }

  createContext(id: u32): Context {
    return new Tags(id, this);
  }
}

class Tags extends Context {
  constructor(id: u32, root: TagsRoot) {
    super(id, root);
  }

  onRequestHeaders(_: u32, end: bool): FilterHeadersStatusValues {
    stream_context.headers.request.add("x-tag", stream_context.headers.request.get("x-user") + "'s");
    stream_context.headers.request.remove("x-secret");
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(_: u32, end: bool): FilterHeadersStatusValues {
    stream_context.headers.response.replace("x-tag", "seen");
    return FilterHeadersStatusValues.Continue;
  }

  onLog(): void {
    log(LogLevelValues.info, "over");
  }
}

registerRootContext((id: u32) => new TagsRoot(id), "tags");
