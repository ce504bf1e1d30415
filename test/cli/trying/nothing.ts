// Has the names that are needed, and nothing behind them.
export default { services: [undefined], workload: "none" };
