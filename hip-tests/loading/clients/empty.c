/* What a preloaded library costs that does nothing. */
int rmcp_stub_empty;
